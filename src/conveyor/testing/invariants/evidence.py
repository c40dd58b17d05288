"""What the invariants are held against: our tables, the provider's books, and who hears of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from conveyor.testing.invariants.slips import Slips
    from conveyor.testing.world import World

UNDONE = frozenset({"cancelled", "refused"})
TERMINAL = UNDONE | {"completed", "refunded"}
Row = dict[str, Any]


def went_through(row: Row) -> bool:
    """Whether all of an order is done and stays done: completed, or refunded after that."""
    return {row["status"], row["ending"]} & {"completed", "refunded"} != set()


class Posting(NamedTuple):
    """What the provider has done for an order: it was not declined."""

    order_id: str
    operation: str
    amount: int


class Evidence(Protocol):
    """What a run has left."""

    slips: Slips
    restored: bool
    """Whether a backup was put back, which knows less than those outside."""

    def rows(self, query: str, *values: object) -> list[Any]:
        """Ask our database."""
        ...

    def records(self, table: str) -> list[Row]:
        """Give a whole table of it."""
        ...

    def postings(self) -> Iterable[Posting]:
        """Read the provider's books."""
        ...

    def lost_parcels(self) -> Collection[str]:
        """Name the orders whose parcels the carrier has lost."""
        ...

    def say(self, name: str, what: str) -> None:
        """Note what is broken."""
        ...


class Lived:
    """What a simulated story has left."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.slips, self.restored = world.slips, world.restored
        self.rows, self.records, self.say = world.store.rows, world.store.records, world.say

    def postings(self) -> list[Posting]:
        """See `Evidence`."""
        entries = self._world.outside.entries
        return [Posting(it.order_id, it.operation, it.amount) for it in entries if it.approved]

    def lost_parcels(self) -> set[str]:
        """See `Evidence`."""
        parcels = self._world.outside.parcels.values()
        return {it.order_id for it in parcels if it.arrives_at is None}
