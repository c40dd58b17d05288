"""What the desk shows: all piles, one of them, or the orders of one with a verdict on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conveyor.core.engine import Engine
from conveyor.core.transaction import Tx
from conveyor.operations.desk.judging import Judgement, judge
from conveyor.operations.desk.members import Cursor, Member, members
from conveyor.operations.desk.piles import Pile, find_pile, piles
from conveyor.operations.desk.sharing import SAMPLE, Shared, shared_by


@dataclass(frozen=True, slots=True)
class PileSeen:
    """A pile, and what most of its orders have in common."""

    pile: Pile
    shared: Sequence[Shared]


@dataclass(frozen=True, slots=True)
class PilePage:
    """Some orders of a pile, each judged as it is now; `judged` has them by their ids."""

    pile: Pile
    shared: Sequence[Shared]
    members: Sequence[Member]
    judged: Mapping[str, Judgement]


async def piles_seen(
    engine: Engine, merchant: str | None, most: int
) -> tuple[int, Sequence[PileSeen]]:
    """Give how many piles there are, and the largest of them."""

    def read(tx: Tx) -> tuple[int, Sequence[PileSeen]]:
        found = piles(tx, merchant)
        return len(found), [PileSeen(it, _shared(tx, it, merchant)) for it in found[:most]]

    return await engine.database.read(read)


async def pile_seen(engine: Engine, key: str, merchant: str | None) -> Pile | None:
    """Give a pile; None: nothing of it is parked any more."""
    return await engine.database.read(lambda tx: find_pile(tx, key, merchant))


async def pile_page(
    engine: Engine, key: str, merchant: str | None, after: Cursor, limit: int
) -> PilePage | None:
    """Give so many orders of a pile; None: nothing of it is parked any more."""

    def read(tx: Tx) -> PilePage | None:
        found = find_pile(tx, key, merchant)
        if found is None:
            return None
        them = members(tx, found, merchant, limit=limit, after=after)
        return PilePage(found, _shared(tx, found, merchant), them, judge(tx, engine, them))

    return await engine.database.read(read)


def _shared(tx: Tx, pile: Pile, merchant: str | None) -> list[Shared]:
    return shared_by(members(tx, pile, merchant, limit=SAMPLE))
