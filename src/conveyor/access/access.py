"""Who asks: turns the text of a key into a grant, mostly without a query."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from conveyor.access import store
from conveyor.access.model import LOCAL_ID, ApiKey, Grant, LocalKey, digest_of, id_of
from conveyor.core.ambient import Ambient
from conveyor.core.errors import ConveyorError
from conveyor.core.outage import tell
from conveyor.core.transaction import Database

REMEMBER_MS = 5_000
"""How long an answer is remembered, so how long a revoked key may still work elsewhere."""
USE_MS = 60_000
"""How exactly the last use of a key is known: written once a minute, not with each request."""
MAX_REMEMBERED = 10_000
"""Answers kept at most: whoever tries keys by the thousand shall not fill the memory."""

log = logging.getLogger(__name__)


class Access:
    """Verifies keys; the local key, if there is one, belongs to this process alone."""

    def __init__(self, database: Database, ambient: Ambient, local: LocalKey | None = None) -> None:
        self._database = database
        self._ambient = ambient
        self._local = (digest_of(local.text), local.grant) if local else None
        self._remembered: dict[str, tuple[Grant | None, int]] = {}
        self._forgotten = 0
        self._opened: dict[str, None] = {}  # which keys ever opened something, the last one last

    async def grant_of(self, text: str) -> Grant | None:
        """Give what this key opens; None: it is no key, unknown, revoked or expired."""
        key_id = id_of(text)
        if key_id is None:
            return None
        # Looked up by its hash: how long that takes says nothing about the key itself.
        digest = digest_of(text)
        if self._local and hmac.compare_digest(digest, self._local[0]):
            return self._local[1]
        grant = await self._known(digest, partial(self._look_up, key_id, digest))
        if grant is not None:
            self._note_opened(digest)
        return grant

    async def grant_of_id(self, key_id: str) -> Grant | None:
        """Give what the key of this id opens, for whoever has shown the key itself before."""
        if self._local and key_id == LOCAL_ID:
            return self._local[1]
        return await self._known(key_id, partial(self._look_up, key_id, None))

    def has_seen(self, text: str) -> bool:
        """Whether this key opened something a while ago; now it may open nothing."""
        digest = digest_of(text)
        if self._local and hmac.compare_digest(digest, self._local[0]):
            return True
        return digest in self._opened

    def forget(self) -> None:
        """Ask the database again: a key was revoked."""
        self._forgotten += 1
        self._remembered.clear()

    async def _known(
        self, what: str, look_up: Callable[[], Awaitable[Grant | None]]
    ) -> Grant | None:
        now = self._ambient.elapsed_ms()  # a clock that is set back must keep no key alive
        grant, until = self._remembered.get(what, (None, 0))
        if now >= until:
            forgotten = self._forgotten
            grant = await look_up()
            if forgotten == self._forgotten:  # else it may have been revoked since it was seen
                self._remember(what, grant, now + REMEMBER_MS)
        return None if grant is None or grant.is_over(self._ambient.now_ms()) else grant

    def _note_opened(self, digest: str) -> None:
        self._opened.pop(digest, None)
        self._opened[digest] = None
        if len(self._opened) > MAX_REMEMBERED:
            del self._opened[next(iter(self._opened))]

    def _remember(self, what: str, grant: Grant | None, until: int) -> None:
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[what] = (grant, until)

    async def _look_up(self, key_id: str, digest: str | None) -> Grant | None:
        key = await self._database.read(lambda tx: store.find(tx, key_id))
        if key is None or key.revoked_at is not None:
            return None
        if digest is not None and not hmac.compare_digest(key.digest, digest):
            return None
        await self._note_use(key)
        return Grant(
            key.id,
            key.merchant,
            frozenset(key.scopes),
            subject=key.subject,
            label=key.label,
            expires_at=key.expires_at,
        )

    async def _note_use(self, key: ApiKey) -> None:
        now_ms = self._ambient.now_ms()
        if key.last_used_at is not None and now_ms - key.last_used_at < USE_MS:
            return
        try:
            await self._database.run(lambda tx: store.note_use(tx, key.id, now_ms))
        except ConveyorError as error:
            # Reading goes on where nothing can be written, on a full disk say.
            tell(log, error, "the use of key %s could not be noted", key.id)
