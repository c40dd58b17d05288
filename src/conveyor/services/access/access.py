"""Who asks: turns the text of a key into a grant, mostly without a query."""

from __future__ import annotations

import hmac

from conveyor.messaging.ambient import Ambient
from conveyor.messaging.transaction import Database
from conveyor.services.access import store
from conveyor.services.access.model import Grant, LocalKey, digest_of, id_of

REMEMBER_MS = 5_000
"""How long an answer is remembered, so how long a revoked key may still work elsewhere."""
MAX_REMEMBERED = 10_000
"""Answers kept at most: whoever tries keys by the thousand shall not fill the memory."""


class Access:
    """Verifies keys; the local key, if there is one, belongs to this process alone."""

    def __init__(self, database: Database, ambient: Ambient, local: LocalKey | None = None) -> None:
        self._database = database
        self._ambient = ambient
        self._local = (digest_of(local.text), local.grant) if local else None
        self._remembered: dict[str, tuple[Grant | None, int]] = {}

    async def grant_of(self, text: str) -> Grant | None:
        """Give what this key opens; None: it is no key, unknown or revoked."""
        key_id = id_of(text)
        if key_id is None:
            return None
        # Looked up by its hash: how long that takes says nothing about the key itself.
        digest = digest_of(text)
        if self._local and hmac.compare_digest(digest, self._local[0]):
            return self._local[1]
        now = self._ambient.elapsed_ms()  # a clock that is set back must keep no key alive
        grant, until = self._remembered.get(digest, (None, 0))
        if now >= until:
            grant = await self._look_up(key_id, digest)
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[digest] = (grant, now + REMEMBER_MS)
        return grant

    def forget(self) -> None:
        """Ask the database again: a key was revoked."""
        self._remembered.clear()

    async def _look_up(self, key_id: str, digest: str) -> Grant | None:
        key = await self._database.read(lambda tx: store.find(tx, key_id))
        if key is None or not hmac.compare_digest(key.digest, digest) or key.revoked_at is not None:
            return None
        return Grant(key.id, key.merchant, frozenset(key.scopes), subject=key.subject)
