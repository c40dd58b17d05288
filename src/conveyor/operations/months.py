"""The months of orders by which PostgreSQL keeps timelines and calls: listed, made, detached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import sqlalchemy as sa

from conveyor.adapters.postgres import months
from conveyor.adapters.postgres.errors import is_busy
from conveyor.adapters.postgres.months import Partition, Size
from conveyor.core.detached import all_detached
from conveyor.core.errors import DatabaseUnavailableError
from conveyor.core.months import Month, month_of_id
from conveyor.core.tables import MONTHLY, detached_months, orders
from conveyor.core.transaction import Database, Tx
from conveyor.settings import Settings
from conveyor.system.backends import open_database
from conveyor.system.installation import installation
from conveyor.system.tables import bring_up_to_date

OTHERS = "others"
"""What no month covers: the default partitions."""
SETTLES_MS = 86_400_000
"""A month can be detached once it has been over for so long: no id of it is still to come."""
MOST_NAMED = 5
TRIES = 5
REST_SECONDS = 2.0
"""Between tries to get a table that is in use."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A month, all before one, or what no month covers: ids `since` <= id < `until`.

    `open` orders are not at their end; `tables` of a detached one are those still there.
    """

    name: str
    since: str
    until: str
    tables: dict[str, Size]
    open: int = 0
    detached_at: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be detached, and the orders that forbid it: how many, and some of them."""

    months: list[Kept] = field(default_factory=list)
    open: int = 0
    examples: list[str] = field(default_factory=list)


@asynccontextmanager
async def by_month(settings: Settings) -> AsyncIterator[Database]:
    """Open a database that keeps orders by month, with its tables as they should be."""
    database = open_database(settings)
    try:
        await bring_up_to_date(database, installation(settings))
        yield database
    finally:
        await database.close()


async def listed(database: Database) -> list[Kept]:
    """Give all that there are, the oldest first, then those detached."""
    return await database.examine(_listed)


async def plan(database: Database, before: Month) -> Plan:
    """Find out which months are over before this one, and whether their orders are at their end."""
    return await database.examine(lambda tx: _plan(tx, before))


def _listed(tx: Tx) -> list[Kept]:
    by_range: dict[tuple[str, str], list[str]] = {}
    for it in months.partitions(tx):
        by_range.setdefault((it.since, it.until), []).append(it.name)
    kept = [
        Kept(_name(since, until), since, until, months.sizes(tx, names), _open(tx, since, until))
        for (since, until), names in by_range.items()
    ]
    kept.sort(key=lambda it: (it.name == OTHERS, it.since))
    return kept + [
        Kept(it.name, it.since, it.until, months.sizes(tx, _tables(it.name)), 0, it.detached_at)
        for it in all_detached(tx)
    ]


def _plan(tx: Tx, before: Month) -> Plan:
    over = [
        it
        for it in _listed(tx)
        if it.detached_at is None and it.until and it.until <= before.first_id
    ]
    examples: list[str] = []
    for it in over:
        within = {"since": it.since, "until": it.until}
        examples += tx.execute(_OPEN.limit(MOST_NAMED - len(examples)), within).scalars()
    return Plan(over, sum(it.open for it in over), examples)


def latest(now_ms: int) -> Month:
    """Give the month before which all may be detached."""
    return Month.at(now_ms - SETTLES_MS)


async def detach(database: Database, planned: Plan, now_ms: int) -> list[str]:
    """Detach these months; gives the names under which their tables are kept.

    Each table by itself: orders wait for as little as possible. Broken off, it can be run again.
    Raises `DatabaseUnavailableError` where a table is in use for longer than orders should wait.
    """
    return [
        await _patiently(database, partial(_detach, part=part, month=month, now_ms=now_ms))
        for month in planned.months
        for part in await database.read(partial(_parts, month=month))
    ]


async def make(database: Database) -> list[str]:
    """Make the months of what the default partitions hold, and move it there; gives their names.

    What belongs to a detached month stays where it is. Raises `DatabaseUnavailableError`.
    """
    made = []
    for table, month, _ in await database.read(misplaced):
        if month is not None:
            work = partial(months.make, table=table, month=month, moving=True)
            made.append(await _patiently(database, work))
    return [name for name in made if name]


async def _patiently(database: Database, work: Callable[[Tx], str]) -> str:
    """Try again where the tables are in use: each try holds orders up for a second at most."""
    for _ in range(TRIES - 1):
        try:
            return await database.run(work)
        except DatabaseUnavailableError as error:
            if not is_busy(error):
                raise
        await asyncio.sleep(REST_SECONDS)
    return await database.run(work)


def misplaced(tx: Tx) -> list[tuple[str, Month | None, int]]:
    """Give what the default partitions hold that is of no detached month; see `months`."""
    detached = all_detached(tx)

    def is_detached(month: Month | None) -> bool:
        return month is not None and any(it.since <= month.first_id < it.until for it in detached)

    return [it for it in months.misplaced(tx) if not is_detached(it[1])]


def _parts(tx: Tx, month: Kept) -> list[Partition]:
    within = (month.since, month.until)
    return [it for it in months.partitions(tx) if (it.since, it.until) == within]


def _detach(tx: Tx, part: Partition, month: Kept, now_ms: int) -> str:
    kept = months.detach(tx, part)
    row = {"name": month.name, "since": month.since, "until": month.until, "detached_at": now_ms}
    if not tx.execute(_IS_RECORDED, {"of": month.name}).first():
        tx.execute(sa.insert(detached_months), row)
    return kept


def _name(since: str, until: str) -> str:
    if not until:
        return OTHERS
    if not since:
        upto = month_of_id(until)
        return f"before {upto.name}" if upto else f"before {until}"
    month = month_of_id(since)
    return month.name if month and until == month.until_id else f"{since} to {until}"


def _tables(name: str) -> Iterator[str]:
    written = name.replace(" ", "_").replace("-", "_")
    return (months.detached_name(f"{table}_{written}") for table in MONTHLY)


def _open(tx: Tx, since: str, until: str) -> int:
    if not until:
        return 0
    return int(tx.execute(_COUNT_OPEN, {"since": since, "until": until}).scalar_one())


_of_range = (
    orders.c.settled_at.is_(None),
    orders.c.id >= sa.bindparam("since"),
    orders.c.id < sa.bindparam("until"),
)
_COUNT_OPEN = sa.select(sa.func.count()).select_from(orders).where(*_of_range)
_OPEN = sa.select(orders.c.id).where(*_of_range).order_by(orders.c.id)
_IS_RECORDED = sa.select(detached_months.c.name).where(detached_months.c.name == sa.bindparam("of"))
