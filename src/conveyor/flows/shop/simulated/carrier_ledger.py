"""The simulated carrier's durable ledger: a table of its own, apart from our shipments."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from conveyor.core.statements import one_of
from conveyor.core.transaction import PerDialect, Tx
from conveyor.flows.shop.shipping.ports import ARRIVED, IN_TRANSIT, LOST, ParcelOnRecord

# Any number, as long as nobody else in the database takes it.
CREATION_LOCK = 7_040_114
PAGE = 2_000
"""Parcels that the audit reads at once."""

carrier_metadata = sa.MetaData()

parcels = sa.Table(
    "carrier_parcels",
    carrier_metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("tracking", sa.Text, nullable=False),
    sa.Column("taken_at", sa.BigInteger, nullable=False),
    sa.Column("arrives_at", sa.BigInteger),  # null: lost
    sa.Column("tell_at", sa.BigInteger),  # null: nothing (more) to tell
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("told_at", sa.BigInteger),
    sqlite_with_rowid=False,  # one tree instead of two: keys come nearly in order
)
# Only what is still to be told, however long the ledger grows.
_untold = parcels.c.tell_at.is_not(None)
sa.Index("carrier_untold", parcels.c.tell_at, sqlite_where=_untold, postgresql_where=_untold)


@dataclass(frozen=True, slots=True)
class Entry:
    """A parcel that the carrier took. Times are milliseconds since the epoch."""

    key: str
    order_id: str
    tracking: str
    taken_at: int
    arrives_at: int | None
    tell_at: int | None
    tries: int = 0
    told_at: int | None = None

    def state(self, now_ms: int) -> str:
        """Where the parcel is."""
        if self.arrives_at is None:
            return LOST
        return ARRIVED if self.arrives_at <= now_ms else IN_TRANSIT


@dataclass(frozen=True, slots=True)
class Told:
    """How an attempt to tell of an arrival went: `told_at` when it was heard, else `tell_at`."""

    key: str
    tries: int
    tell_at: int | None
    told_at: int | None


_key = parcels.c.key
_TAKE = PerDialect(lambda insert: insert(parcels).on_conflict_do_nothing(index_elements=[_key]))
_FIND = sa.select(parcels).where(one_of(_key, "keys"))
_NEXT = sa.select(sa.func.min(parcels.c.tell_at)).where(_untold)
# A row belongs to one process at a time; pushed forward, it comes back if that process ends.
_due = (
    sa.select(_key)
    .where(parcels.c.tell_at <= sa.bindparam("now"))
    .order_by(parcels.c.tell_at)
    .limit(sa.bindparam("count"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_CLAIM = (
    sa.update(parcels)
    .where(_key.in_(sa.select(_due.c.key)))
    .values(tell_at=sa.bindparam("until"))
    .returning(parcels)
)
_RELEASE = (
    sa.update(parcels)
    .where(_untold, parcels.c.tell_at > parcels.c.arrives_at)
    .values(tell_at=parcels.c.arrives_at)
)
_TOLD = (
    sa.update(parcels)
    .where(_key == sa.bindparam("of_key"), parcels.c.told_at.is_(None))
    .values({name: sa.bindparam(f"to_{name}") for name in ("tries", "tell_at", "told_at")})
)
_KEEP = (
    sa.update(parcels)
    .where(_key == sa.bindparam("of_key"), _untold, parcels.c.told_at.is_(None))
    .values(tell_at=sa.bindparam("until"))
)
_AFTER = sa.select(parcels).where(_key > sa.bindparam("after")).order_by(_key).limit(PAGE)


def create(tx: Tx) -> None:
    """Create the table where it is missing; several processes may do so at once."""
    if tx.dialect == "postgresql":  # there, IF NOT EXISTS alone can still collide
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(CREATION_LOCK)))
    tx.execute(sa.schema.CreateTable(parcels, if_not_exists=True))
    for index in parcels.indexes:
        tx.execute(sa.schema.CreateIndex(index, if_not_exists=True))


def release(tx: Tx) -> None:
    """End all claims: of processes that are known to have ended."""
    tx.execute(_RELEASE)


def take(tx: Tx, entries: Sequence[Entry]) -> dict[str, Entry]:
    """Enter parcels; gives the entry of each key, which for a known key is the earlier one."""
    # Sorted, so that two processes that are given the same keys do not deadlock.
    names = Entry.__slots__
    by_key = sorted(entries, key=lambda entry: entry.key)
    rows = [{name: getattr(entry, name) for name in names} for entry in by_key]
    if tx.execute_all(_TAKE, rows) == len(rows):
        return {entry.key: entry for entry in entries}
    return find(tx, {entry.key for entry in entries})


def find(tx: Tx, keys: Collection[str]) -> dict[str, Entry]:
    """Give the entries of these keys; keys that never arrived are left out."""
    return {row[0]: Entry(*row) for row in tx.execute(_FIND, {"keys": list(keys)})}


def next_telling(tx: Tx) -> int | None:
    """Give when the next arrival is to be told; None when there is nothing to tell."""
    at: int | None = tx.execute(_NEXT).scalar()
    return at


def note_and_claim(
    tx: Tx, told: Collection[Told], now_ms: int, until_ms: int, count: int
) -> list[Entry]:
    """Enter how telling went, and take up to `count` arrivals that are to be told by `now_ms`.

    They are this process's own until `until_ms`.
    """
    if told:
        rows: list[dict[str, Any]] = [
            {
                "of_key": one.key,
                "to_tries": one.tries,
                "to_tell_at": one.tell_at,
                "to_told_at": one.told_at,
            }
            for one in sorted(told, key=lambda one: one.key)
        ]
        tx.execute_all(_TOLD, rows)
    if not count:
        return []
    claimed = tx.execute(_CLAIM, {"now": now_ms, "until": until_ms, "count": count})
    return [Entry(*row) for row in claimed]


def keep(tx: Tx, keys: Sequence[str], until_ms: int) -> None:
    """Leave these arrivals to the process that has claimed them until then."""
    tx.execute_all(_KEEP, [{"of_key": key, "until": until_ms} for key in sorted(keys)])


def recorded(tx: Tx, keys: Collection[str]) -> dict[str, ParcelOnRecord]:
    """For the audit: give what is on record under these keys."""
    return {key: _on_record(entry) for key, entry in find(tx, keys).items()}


def recorded_after(tx: Tx, key: str) -> list[ParcelOnRecord]:
    """For the audit: give the next parcels, by their keys; none at the end."""
    return [_on_record(Entry(*row)) for row in tx.execute(_AFTER, {"after": key})]


def _on_record(entry: Entry) -> ParcelOnRecord:
    told = entry.told_at is not None
    return ParcelOnRecord(entry.key, entry.order_id, entry.tracking, entry.arrives_at, told)
