"""How a merchant's orders stand, cheap enough to be asked every second.

What is open is counted on the index of the open orders. The rest reads every order, so it goes
page by page, to hold up no other read for long. What was costly is remembered for so long that all
of it takes a small part of one processor; while nothing is open and nothing is placed, until that
changes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import sqlalchemy as sa

from conveyor.commerce.orders.store import idempotency
from conveyor.commerce.payments.store import payments
from conveyor.core.ambient import Ambient
from conveyor.core.archived import archived_count
from conveyor.core.order_status import OrderStatus
from conveyor.core.statements import wide_sum, widened
from conveyor.core.tables import orders, parked
from conveyor.core.transaction import Database, Replica, Tx

PAGE_ROWS = 2_000
REST_FACTOR = 20
"""After a look at everything, so many times as long as it took until the next."""
MOST_OLD_MS = 2_000
"""The number of open orders is not remembered for longer: on a machine that has much else to do
each look is slow, and whoever waits for the last order would wait for many times as long."""
COSTLY_MS = 10
"""What takes less is found anew each time."""
MAX_REMEMBERED = 100
P50, P99 = 0.5, 0.99
AFTER_ALL = "\U0010ffff"
"""No key and no id comes after it."""


# On the index of what did not end by being completed.
_REFUNDED = sa.select(sa.func.count()).where(
    orders.c.ending == str(OrderStatus.REFUNDED), orders.c.ending != sa.text("''")
)


@dataclass(frozen=True, slots=True)
class Which:
    """A merchant's orders, or everybody's (None).

    With a prefix, those whose key begins with it; with a flow's name, those of any version of it.
    """

    merchant: str | None
    key_prefix: str = ""
    flow: str = ""

    @property
    def in_flow(self) -> list[sa.ColumnElement[bool]]:
        """Give the condition that picks the flow's orders."""
        return [orders.c.flow.startswith(f"{self.flow}@", autoescape=True)] if self.flow else []


@dataclass(slots=True)
class Summary:
    """Orders by status, money by currency in minor units, milliseconds from placed to settled.

    How long those took that were refunded after they had settled is not known any more.

    An order counts as open until it is at its end or parked. Those in the archive are counted as
    `archived`, and in nothing else.
    """

    placed: int = 0
    open: int = 0
    archived: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    captured: Counter[str] = field(default_factory=Counter)
    refunded: Counter[str] = field(default_factory=Counter)
    refused_because: Counter[str] = field(default_factory=Counter)
    latencies: Counter[int] = field(default_factory=Counter)

    def latency(self, part: float) -> int | None:
        """Give the latency that this part of the settled orders did not exceed: nearest rank."""
        rank = math.ceil(self.latencies.total() * part)
        seen = 0
        for value in sorted(self.latencies):
            seen += self.latencies[value]
            if seen >= rank:
                return value
        return None


@dataclass(frozen=True, slots=True)
class _State:
    """While nothing is open, orders are as they were for as long as this stays the same."""

    open: int
    parked: int
    parked_last: int
    newest: str
    archived: int
    refunded: int
    """Of everybody, as what is parked: those that were at their end, and left it."""


class Summaries:
    """Gives summaries, and remembers what was costly to find."""

    def __init__(
        self, database: Database, ambient: Ambient, replica: Replica | None = None
    ) -> None:
        """`replica`: where summaries of all orders of a merchant are read; None: in `database`."""
        self._database = database
        self._replica = replica
        self._ambient = ambient
        self._states: dict[Which, tuple[_State, int]] = {}
        self._summaries: dict[Which, tuple[Summary, _State, int]] = {}

    async def of(self, which: Which) -> Summary:
        """Sum up these orders. While some are open, all but their number may be older."""
        state = await self._state_of(which)
        begun = self._ambient.elapsed_ms()
        if which in self._summaries:
            summary, then, until = self._summaries[which]
            if begun < until if state.open else state == then:
                return replace(summary, open=state.open)
        summary = Summary(open=state.open, archived=state.archived)
        page = _Page(which)
        while not page.last:
            page = await self._read_from(which).read(partial(page.add_next, summary))
        if len(self._summaries) >= MAX_REMEMBERED:
            self._summaries.clear()
            self._states.clear()
        self._summaries[which] = summary, state, self._rest_until(begun)
        return summary

    async def _state_of(self, which: Which) -> _State:
        begun = self._ambient.elapsed_ms()
        state, until = self._states.get(which, (None, 0))
        if state is None or begun >= until:
            state = await self._read_from(which).read(lambda tx: _state(tx, which))
            soon = self._ambient.elapsed_ms() + MOST_OLD_MS
            self._states[which] = state, min(self._rest_until(begun), soon)
        return state

    def _read_from(self, which: Which) -> Database | Replica:
        """What is asked for by key waits for orders that were just placed; alarms are of now."""
        lags = which.merchant is not None and not which.key_prefix
        return self._replica if self._replica and lags else self._database

    def _rest_until(self, begun: int) -> int:
        now = self._ambient.elapsed_ms()
        cost = now - begun
        return now + REST_FACTOR * cost if cost >= COSTLY_MS else now


def _state(tx: Tx, which: Which) -> _State:
    mine: list[sa.ColumnElement[bool]] = []
    if which.merchant is not None:
        # Not a plain comparison: for that SQLite would take the index of all orders of a merchant.
        mine.append(orders.c.merchant.concat("") == which.merchant)
    still_open = sa.select(orders.c.id).where(
        orders.c.settled_at.is_(None), orders.c.status != OrderStatus.PARKED, *mine, *which.in_flow
    )
    count = tx.execute(sa.select(sa.func.count()).select_from(still_open.subquery())).scalar_one()
    if count and which.key_prefix:
        keys = sa.select(sa.func.count()).select_from(idempotency).where(*_keys(tx, which))
        count = tx.execute(keys.where(idempotency.c.order_id.in_(still_open))).scalar_one()
    stopped, last = tx.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(parked.c.parked_at), 0))
    ).one()
    newest = sa.select(sa.func.coalesce(sa.func.max(orders.c.id), ""))
    if which.merchant is not None:
        newest = newest.where(orders.c.merchant == which.merchant)
    keyed = sa.select(idempotency.c.order_id).where(*_keys(tx, which)) if which.key_prefix else None
    archived = archived_count(tx, which.merchant, which.flow, keyed)
    refunded = int(tx.execute(_REFUNDED).scalar_one())
    newest_id = tx.execute(newest).scalar_one()
    return _State(int(count), int(stopped), int(last), newest_id, archived, refunded)


@dataclass(frozen=True, slots=True)
class _Page:
    which: Which
    after: str = ""
    last: bool = False

    def add_next(self, summary: Summary, tx: Tx) -> _Page:
        """Add the orders of the next page to a summary."""
        found, cursor, conditions = _source(tx, self.which)
        rest = sa.select(cursor.label("cursor")).select_from(found)
        rest = rest.where(*conditions, cursor > self.after)
        if tx.dialect == "sqlite":  # which has one reader; PostgreSQL has many
            rest = rest.order_by(cursor).limit(PAGE_ROWS)
        upto = tx.execute(sa.select(sa.func.max(rest.subquery().c.cursor))).scalar_one()
        if upto is None:
            return replace(self, last=True)
        _add(tx, summary, found, [*conditions, cursor > self.after, cursor <= upto])
        return replace(self, after=upto, last=tx.dialect != "sqlite")


def _source(
    tx: Tx, which: Which
) -> tuple[sa.FromClause, sa.ColumnElement[str], Sequence[sa.ColumnElement[bool]]]:
    if which.key_prefix:
        keyed = idempotency.join(orders, orders.c.id == idempotency.c.order_id)
        return keyed, _key(tx), [*_keys(tx, which), *which.in_flow]
    mine = [] if which.merchant is None else [orders.c.merchant == which.merchant]
    return orders, orders.c.id, [*mine, *which.in_flow]


def _keys(tx: Tx, which: Which) -> list[sa.ColumnElement[bool]]:
    key = _key(tx)
    mine = [] if which.merchant is None else [idempotency.c.merchant == which.merchant]
    return [*mine, key >= which.key_prefix, key < which.key_prefix + AFTER_ALL]


def _key(tx: Tx) -> sa.ColumnElement[str]:
    """Texts in the order of their bytes, whatever language PostgreSQL was set up for."""
    return idempotency.c.key.collate("C") if tx.dialect == "postgresql" else idempotency.c.key


def _add(
    tx: Tx, summary: Summary, found: sa.FromClause, conditions: Iterable[sa.ColumnElement[bool]]
) -> None:
    why = sa.case((orders.c.status == OrderStatus.REFUSED, orders.c.reason), else_="")
    kinds = (orders.c.status, why, payments.c.currency)
    money = found.outerjoin(payments, payments.c.order_id == orders.c.id)
    sums = (*wide_sum(payments.c.captured), *wide_sum(payments.c.refunded))
    query = sa.select(*kinds, sa.func.count(), *sums).select_from(money).where(*conditions)
    for status, reason, currency, many, *parts in tx.execute(query.group_by(*kinds)):
        captured, refunded = widened(parts)
        summary.placed += int(many)
        summary.by_status[str(status)] += int(many)
        if reason:
            summary.refused_because[reason] += int(many)
        if currency is not None:
            summary.captured[currency] += captured
            summary.refunded[currency] += refunded
    # A parked order has got as far as it will get by itself.
    settled_at = sa.func.coalesce(orders.c.settled_at, orders.c.updated_at)
    latency = (settled_at - orders.c.placed_at).label("latency")
    settled = sa.and_(
        sa.or_(orders.c.settled_at.is_not(None), orders.c.status == OrderStatus.PARKED),
        orders.c.ending != str(OrderStatus.REFUNDED),
    )
    times = sa.select(latency, sa.func.count()).select_from(found).where(*conditions, settled)
    for milliseconds, many in tx.execute(times.group_by(latency)):
        summary.latencies[int(milliseconds)] += int(many)
