"""What rides: tokens that go on in this process without a message (see decision 24).

Each is owed by its row in the outbox all the while. As long as it is in our hands the row is due
later and later, so that a sweeper finds it soon once this process has died.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from conveyor.core.ambient import Ambient
from conveyor.core.lease import Leases
from conveyor.core.message import Token, encode
from conveyor.core.outbox import RELAY_GRACE_MS, OwedToken, keep
from conveyor.core.queue import Received
from conveyor.core.transaction import Database

RIDE_SECONDS = 2 * RELAY_GRACE_MS / 1000
"""How long what rides stays ours without another word: its order waits for so long if we die."""

LATEST_MS = 1_000
"""How long the commit may have taken that owes a token: its row is due by when that began."""


class Rides(Leases):
    """The tokens of one service that ride."""

    def __init__(self, service: str, database: Database, ambient: Ambient) -> None:
        """None does."""
        super().__init__(f"rides of {service}", RIDE_SECONDS, ambient)
        self._database = database
        self._owed: dict[str, OwedToken] = {}

    def may_carry(self, owed: OwedToken) -> bool:
        """Whether its row will not be due before its lease is looked at."""
        return self._ambient.now_ms() - owed.due_at <= LATEST_MS

    def carry(self, owed: OwedToken) -> Received:
        """Take a token along as if it had been received, for the 0th time."""
        wall = self._ambient.now_ms()
        receipt = f"{owed.order_id}.{owed.version}"
        self._owed[receipt] = owed
        self._hold(receipt, RELAY_GRACE_MS)
        body = encode(Token(owed.order_id, owed.step, owed.version), wall)
        return Received(body, receipt, receipt, 0, wall, wall + RELAY_GRACE_MS)

    def others(self, receipts: Iterable[str]) -> list[str]:
        """Give those that do not ride: the queue knows them."""
        return [receipt for receipt in receipts if receipt not in self._owed]

    def drop(self, receipts: Iterable[str]) -> None:
        """Let these go: a sweeper sends what is still owed of them, once it is due."""
        for receipt in receipts:
            self._owed.pop(receipt, None)
        super().drop(receipts)

    async def _extend(self, receipts: Sequence[str]) -> Collection[str]:
        rows = [self._owed[receipt] for receipt in receipts]
        until = self._ambient.now_ms() + round(self._seconds * 1000)
        free = await self._database.run(lambda tx: keep(tx, rows, until))
        pairs = zip(receipts, rows, strict=True)
        return [it for it, row in pairs if (row.order_id, row.version) not in free]
