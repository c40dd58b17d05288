"""Sessions: who has shown a key once is known for some hours, by a word that opens nothing else.

Only a hash of the word is kept. A session ends with its time, with its key, or when it is ended.
One of the local key is kept in this process alone, as the key is.
"""

from __future__ import annotations

import base64

import sqlalchemy as sa

from conveyor.access.access import REMEMBER_MS, Access
from conveyor.access.model import LOCAL_ID, Grant, Token, digest_of
from conveyor.core.ambient import Ambient
from conveyor.core.tables import metadata
from conveyor.core.transaction import Database, Tx

SESSION_MS = 8 * 3_600_000
"""A working day: then the key is asked for again."""
WORD_BYTES = 30
MAX_REMEMBERED = 10_000

sessions = sa.Table(
    "console_sessions",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),  # SHA-256 of the word, hexadecimal
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

_INSERT = sa.insert(sessions)
_FIND = sa.select(sessions.c.key_id, sessions.c.expires_at).where(
    sessions.c.digest == sa.bindparam("of_digest")
)
_DELETE = sa.delete(sessions).where(sessions.c.digest == sa.bindparam("of_digest"))
_CLEAR = sa.delete(sessions).where(sessions.c.expires_at <= sa.bindparam("now"))

Session = tuple[str, int]
"""The id of its key, and when it ends, in milliseconds since the epoch."""


def new_word(token: Token) -> str:
    """Give a word that nobody guesses."""
    return base64.urlsafe_b64encode(token(WORD_BYTES)).decode()


class Sessions:
    """Opens sessions, finds whose they are, and ends them."""

    def __init__(self, database: Database, ambient: Ambient, access: Access, token: Token) -> None:
        """Nobody has a session of the local key."""
        self._database = database
        self._ambient = ambient
        self._access = access
        self._token = token
        self._local: dict[str, Session] = {}
        self._remembered: dict[str, tuple[Session | None, int]] = {}

    async def open(self, grant: Grant) -> str:
        """Begin a session of this key's holder; gives the word for it."""
        word, now = new_word(self._token), self._ambient.now_ms()
        digest, expires_at = digest_of(word), now + SESSION_MS
        if grant.key_id == LOCAL_ID:
            self._local = {it: found for it, found in self._local.items() if found[1] > now}
            self._local[digest] = (grant.key_id, expires_at)
            return word

        def write(tx: Tx) -> None:
            tx.execute(_CLEAR, {"now": now})
            tx.execute(
                _INSERT, {"digest": digest, "key_id": grant.key_id, "expires_at": expires_at}
            )

        await self._database.run(write)
        return word

    async def grant_of(self, word: str) -> Grant | None:
        """Give what its key opens now; None: there is no such session, or it is over."""
        digest = digest_of(word)
        session = self._local.get(digest) or await self._find(digest)
        if session is None or session[1] <= self._ambient.now_ms():
            return None
        return await self._access.grant_of_id(session[0])

    async def end(self, word: str) -> None:
        """End a session: at once here, within seconds elsewhere."""
        digest = digest_of(word)
        self._local.pop(digest, None)
        await self._database.run(lambda tx: tx.execute(_DELETE, {"of_digest": digest}))
        self._remembered.clear()

    async def _find(self, digest: str) -> Session | None:
        now = self._ambient.elapsed_ms()
        session, until = self._remembered.get(digest, (None, 0))
        if now < until:
            return session
        row = await self._database.read(
            lambda tx: tx.execute(_FIND, {"of_digest": digest}).one_or_none()
        )
        session = (str(row[0]), int(row[1])) if row else None
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[digest] = session, now + REMEMBER_MS
        return session
