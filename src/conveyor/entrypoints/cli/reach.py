"""Which system a command talks to: a running server, or the data directory itself."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from conveyor.entrypoints import server_file
from conveyor.entrypoints.cli.output import note, program

if TYPE_CHECKING:
    from conveyor.entrypoints.client import Client
    from conveyor.settings import Settings

LOCAL_URL = "http://conveyor"
KEY_VARIABLE = "CONVEYOR_API_KEY"
DEFAULT_MERCHANT = "default"


@dataclass(frozen=True, slots=True)
class Reach:
    """What the options and the environment say; `server` and `merchant` are '' when not given."""

    data: Path
    server: str
    merchant: str

    @property
    def whose(self) -> str:
        """Give the merchant that a command without an API key acts for."""
        return self.merchant or DEFAULT_MERCHANT

    def settings(self) -> Settings:
        """Give the settings that open the system itself."""
        from conveyor.settings import Settings

        return Settings(data=self.data)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Client | None]:
        """Give a client of the server that was named, or of the one that owns the directory.

        None: no server was named, and none answers there.
        """
        from conveyor.entrypoints.client import Client

        key = os.environ.get(KEY_VARIABLE, "")
        owner = server_file.find(self.data)
        if self.server:
            ours = owner is not None and owner.url == self.server
            async with Client(self.server, key or (owner.key if owner and ours else "")) as client:
                yield client
        elif owner is None:
            yield None
        else:
            async with Client(owner.url, key or owner.key) as client:
                # Its process may be gone, and the number be another's by now.
                yield client if await client.answers() else None

    @asynccontextmanager
    async def client(self, *, moves: bool = False) -> AsyncIterator[Client]:
        """Give a client of the running server, or else of an API opened here, without a network.

        Commands are written once, against the API. `moves`: the command sets orders in motion,
        for which services must run.
        """
        async with self.running() as client:
            if client is not None:
                yield client
                return
        async with self._opened_here() as client:
            yield client
        if moves:
            note(f"No server runs: orders go on with the next `{program()} up`.")

    @asynccontextmanager
    async def _opened_here(self) -> AsyncIterator[Client]:
        from httpx import ASGITransport

        from conveyor.app.opening import open_app
        from conveyor.entrypoints.client import Client
        from conveyor.entrypoints.http import create_http
        from conveyor.services.access.model import new_local_key

        app = await open_app(self.settings())
        try:
            local = new_local_key(secrets.token_bytes, self.whose)
            transport = ASGITransport(create_http(app, local=local))
            async with Client(LOCAL_URL, local.text, transport=transport) as client:
                yield client
            await app.placement.settle()
        finally:
            await app.close()
