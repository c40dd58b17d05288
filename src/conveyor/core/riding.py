"""What rides: tokens that go on in this process without a message (see decision 24).

Each is owed by its row in the outbox all the while. As long as it is in our hands the row is due
later and later, so that a sweeper finds it soon once this process has died.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence

from conveyor.core.ambient import Ambient
from conveyor.core.in_hand import InHand
from conveyor.core.lease import Leases
from conveyor.core.message import Token
from conveyor.core.outbox import RELAY_GRACE_MS, OwedToken, keep
from conveyor.core.transaction import Database

RIDE_SECONDS = 2 * RELAY_GRACE_MS / 1000
"""How long what rides stays ours without another word: its order waits for so long if we die."""

LATEST_MS = 1_000
"""How long the commit may have taken that owes a token: its row is due by when that began."""


class Rides(Leases):
    """The tokens of one service that ride."""

    def __init__(
        self, service: str, database: Database, ambient: Ambient, freed: asyncio.Event
    ) -> None:
        """None does; `freed` is set whenever one ends."""
        super().__init__(f"rides of {service}", RIDE_SECONDS, ambient, freed)
        self._database = database
        self._owed: dict[str, OwedToken] = {}

    def carry(self, owed: Iterable[OwedToken], room: int) -> tuple[list[InHand], list[OwedToken]]:
        """Take tokens along while there is room; gives them, and those that are left.

        One whose row may be due before its lease is looked at is left.
        """
        taken = asyncio.get_running_loop().time()
        now = self._ambient.now_ms()
        carried: list[InHand] = []
        left: list[OwedToken] = []
        for row in owed:
            if row.due_at < now - LATEST_MS or len(carried) >= room:
                left.append(row)
                continue
            receipt = f"{row.order_id}.{row.version}"
            self._owed[receipt] = row
            token = Token(row.order_id, row.step, row.version, row.traceparent or "")
            carried.append(InHand(token, receipt, since=taken, taken_at=now))
        self._hold({it.receipt: RELAY_GRACE_MS for it in carried})
        return carried, left

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
