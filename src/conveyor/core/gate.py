"""The gate: nothing is received while nothing can be committed.

A receive counts: after too many of them a message is taken for one that stops its process. So the
first transaction that the database is to blame for, be it only a sweep, closes the gate; whoever
would receive waits there, and one of those who wait tries, at growing intervals, whether the
database commits again.
"""

from __future__ import annotations

import asyncio
import logging
from random import Random

import sqlalchemy as sa

from conveyor.core.errors import UNABLE, ReplicaUnableError
from conveyor.core.outage import DATABASE, Outage, Surviving, tell
from conveyor.core.supervision import wait_for_stop
from conveyor.core.tables import turns
from conveyor.core.transaction import Database, Tx

FIRST_PROBE_SECONDS = 0.5
LAST_PROBE_SECONDS = 10.0
HOLD_SECONDS = 60.0
"""How long what is in our hands waits there for the database before it is given back.

Another process may be able to commit; but a message that stays in our hands is not received again.
"""

_PROBE = "probe:"
_WRITE = sa.insert(turns)
_TAKE_BACK = sa.delete(turns).where(turns.c.group_key == sa.bindparam("b_group_key"))


class Gate:
    """Open while the database commits."""

    def __init__(self, database: Database, random: Random) -> None:
        """It is open at first; nothing is asked of the database before a transaction has failed."""
        self._database = database
        self._random = random
        self._outage = Outage(DATABASE, "nothing can be committed, so nothing more is received")
        self._probing = asyncio.Lock()

    @property
    def is_open(self) -> bool:
        """Whether there is no reason to think that nothing can be committed."""
        return self._outage.began is None

    def close(self, why: Exception) -> None:
        """Stop receiving: a transaction failed, and the database is to blame."""
        self._outage.begin(why)

    def failed(self, log: logging.Logger, error: BaseException, words: str, *args: object) -> None:
        """Tell of what failed and is tried again; stop receiving where the database is to blame."""
        if isinstance(error, UNABLE) and not isinstance(error, ReplicaUnableError):
            self.close(error)
        tell(log, error, words, *args)

    def surviving(self, log: logging.Logger, words: str, *args: object) -> Surviving:
        """Go on after the block; what it raises is told in these words, see `failed`."""
        return Surviving(lambda error: self.failed(log, error, words, *args))

    async def opened(self, stop: asyncio.Event) -> None:
        """Wait until the gate is open, or the stop."""
        while not self.is_open and not stop.is_set():
            async with self._probing:
                await self._probe(stop)

    async def opened_in_time(self, stop: asyncio.Event) -> bool:
        """Wait too, for `HOLD_SECONDS` from the closing at most; gives whether it is open."""
        while (closed_at := self._outage.began) is not None and not stop.is_set():
            left = closed_at + HOLD_SECONDS - asyncio.get_running_loop().time()
            if left <= 0:
                break
            try:
                await asyncio.wait_for(self.opened(stop), left)
            except TimeoutError:
                break
        return self.is_open

    async def prove(self) -> None:
        """Commit something, to see whether that can be done; raises what the database says."""
        await self._database.run(self._write)

    async def _probe(self, stop: asyncio.Event) -> None:
        rest = FIRST_PROBE_SECONDS
        while not self.is_open:
            await wait_for_stop(stop, self._random.uniform(rest / 2, rest))
            if stop.is_set():
                return
            # Whatever it is, it cannot commit.
            with Surviving(self._outage.begin):
                await self.prove()
                self._outage.end()
            rest = min(LAST_PROBE_SECONDS, rest * 2)

    def _write(self, tx: Tx) -> None:
        # A disk that is full can be read: only a commit that writes tells. It leaves nothing.
        key = f"{_PROBE}{self._random.getrandbits(64):x}"
        tx.execute(_WRITE, {"group_key": key, "last": 0})
        tx.execute(_TAKE_BACK, {"b_group_key": key})
