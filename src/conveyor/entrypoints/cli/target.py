"""Which system a command talks to: a running server, or the data directory itself."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING

from conveyor.entrypoints import server_file
from conveyor.entrypoints.cli.errors import ABOUT_KEYS, MisuseError
from conveyor.entrypoints.cli.output import note, program
from conveyor.entrypoints.cli.traced import told_as_trace

if TYPE_CHECKING:
    from conveyor.entrypoints.client import Client
    from conveyor.settings import Settings
    from conveyor.system.composition import App

LOCAL_URL = "http://conveyor"
KEY_VARIABLE = "CONVEYOR_API_KEY"
DEFAULT_MERCHANT = "default"
DEFAULT_DATA = "conveyor-data"


@dataclass(frozen=True, slots=True)
class Target:
    """What the options and the environment say; `server` and `merchant` are '' when not given.

    `archive` is where the orders are that went into the archive; None: as the environment says.
    """

    data: Path
    server: str
    merchant: str
    archive: Path | None = None

    @property
    def whose(self) -> str:
        """Give the merchant that a command without an API key acts for."""
        return self.merchant or DEFAULT_MERCHANT

    @property
    def key(self) -> str:
        """Give the API key that commands act with; '' for none."""
        return os.environ.get(KEY_VARIABLE, "")

    @property
    def options(self) -> str:
        """Give what another command needs so as to talk to the same; '' when it needs nothing."""
        given = {
            "server": (self.server, os.environ.get("CONVEYOR_SERVER", "")),
            "data": (str(self.data), os.environ.get("CONVEYOR_DATA", DEFAULT_DATA)),
            "merchant": (self.merchant, ""),
        }
        return "".join(
            f" --{name} {shlex.quote(value)}"
            for name, (value, known) in given.items()
            if value != known
        )

    def settings(self) -> Settings:
        """Give the settings that open the system itself."""
        from conveyor.settings import Settings

        given = {} if self.archive is None else {"archive": str(self.archive)}
        return Settings(data=self.data, **given)

    async def whose_in(self, app: App, scope: str) -> str:
        """Give the merchant that a command acts for in a system opened here.

        Raises `MisuseError` for a key that does not open it, or lacks the scope.
        """
        from conveyor.access.access import Access

        if not self.key:
            return self.whose
        grant = await Access(app.parts.database, app.parts.ambient).grant_of(self.key)
        if grant is None or not grant.allows([scope]):
            lacks = f"lacks the scope {scope}" if grant else "is unknown here, or revoked"
            raise MisuseError(f"the API key {lacks}.", ABOUT_KEYS)
        return grant.merchant

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Client | None]:
        """Give a client of the server that was named, or of the one that owns the directory.

        None: no server was named, and none answers there.
        """
        from conveyor.entrypoints.client import Client

        key = self.key
        owner = server_file.find(self.data)
        if self.server:
            ours = owner is not None and owner.url == self.server
            local = owner.key if owner and ours else ""
            person = "" if key or not local else whoever_runs_this()
            async with Client(self.server, key or local, person=person) as client:
                yield client
        elif owner is None:
            yield None
        else:
            person = "" if key else whoever_runs_this()
            async with Client(owner.url, key or owner.key, person=person) as client:
                # Its process may be gone, and the number be another's by now.
                yield client if await client.answers() else None

    @asynccontextmanager
    async def client(self, *, begins: bool = False, moves: bool = False) -> AsyncIterator[Client]:
        """Give a client of the running server, or else of an API opened here, without a network.

        Commands are written once, against the API. `begins`: the command may be the first of a new
        directory, which every other leaves as it is. `moves`: it sets orders in motion, for which
        services must run; what it does is in a trace of its own.
        """
        if not moves:
            async with self._client(begins=begins) as client:
                yield client
            return
        async with told_as_trace() as span, self._client(begins=begins, moves=True) as client:
            if span is not None:
                client.within(span)
            yield client

    @asynccontextmanager
    async def _client(self, *, begins: bool, moves: bool = False) -> AsyncIterator[Client]:
        async with self.running() as client:
            if client is not None:
                if self.archive is not None:
                    raise MisuseError(
                        f"--archive: {client.url} knows only its own directory.", _ITS_OWN
                    )
                yield client
                return
        settings = self.settings()
        if not begins:
            _require_database(settings)
        async with self._opened_here(settings, moves=moves) as client:
            yield client
        if moves:
            data = replace(self, merchant="").options
            note(f"No server runs: orders go on with the next `{program()} up{data}`.")

    @asynccontextmanager
    async def _opened_here(self, settings: Settings, *, moves: bool) -> AsyncIterator[Client]:
        from httpx import ASGITransport

        from conveyor.access.model import new_local_key
        from conveyor.entrypoints.client import Client
        from conveyor.entrypoints.http.application import create_http
        from conveyor.system.opening import open_app

        app = await open_app(settings, traced=moves)
        try:
            local = new_local_key(secrets.token_bytes, self.whose, app.installed.scopes)
            transport = ASGITransport(create_http(app, local=local))
            # With a key of its own a command does here what it does where a server runs.
            key = self.key or local.text
            person = "" if self.key else whoever_runs_this()
            async with Client(LOCAL_URL, key, person=person, transport=transport) as client:
                yield client
            await app.placement.settle()
        finally:
            await app.close()


def whoever_runs_this() -> str:
    """Name the user of this machine, and the machine, as a header takes it."""
    try:
        from pwd import getpwuid

        user = getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # no such system, or a user without a name, as in containers
        user = str(os.getuid()) if hasattr(os, "getuid") else "somebody"
    behind = os.environ.get("SUDO_USER", "")
    said = f"{behind} as {user}" if behind and behind != user else user
    return f"{said}@{gethostname()}".encode("unicode_escape").decode()


def _require_database(settings: Settings) -> None:
    path = settings.database_path
    if path is not None and not path.exists():
        raise MisuseError(f"there is no database at {path}.", _NO_DATABASE)


_NO_DATABASE = (
    "Name another directory with --data or CONVEYOR_DATA; `conveyor up` begins a new one."
)
_ITS_OWN = "Leave it out: CONVEYOR_ARCHIVE names that one, where the server is started."
