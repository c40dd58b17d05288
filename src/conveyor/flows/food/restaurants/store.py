"""The tables of restaurants and their SQL. Whoever changes a ticket holds the lock of its order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson
import sqlalchemy as sa

from conveyor.core.gathered import Gathered
from conveyor.core.statements import one_of
from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.untyped import DialectInsert, SelectedRow
from conveyor.core.word_column import WordOf
from conveyor.flows.food.restaurants.model import UNDER_WAY, Restaurant, Ticket, TicketState
from conveyor.flows.food.tables import metadata

Key = tuple[str, str]
"""Merchant, and name of a restaurant."""

restaurants = sa.Table(
    "restaurants",
    metadata,
    sa.Column("merchant", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("latitude", sa.Float, nullable=False),
    sa.Column("longitude", sa.Float, nullable=False),
    sa.Column("zone", sa.Text, nullable=False),
    sa.Column("hours", sa.Text, nullable=False),  # JSON
    sa.Column("max_preparing", sa.Integer, nullable=False),
    sa.Column("paused", sa.Boolean, nullable=False),
    sa.Column("simulated", sa.Text, nullable=False),  # '' for one that answers for itself
)
tickets = sa.Table(
    "tickets",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("merchant", sa.Text, nullable=False),
    sa.Column("restaurant", sa.Text, nullable=False),
    sa.Column("state", WordOf(TicketState), nullable=False),
    sa.Column("asked_at", sa.BigInteger, nullable=False),
    sa.Column("answered_at", sa.BigInteger),
    sa.Column("minutes", sa.Integer),
    sa.Column("ready_at", sa.BigInteger),
    sa.Column("reason", sa.Text, nullable=False),
    sa.CheckConstraint(f"state IN {tuple(map(str, TicketState))}", name="tickets_state"),
)
# The few that await a restaurant, for the simulated ones, which look once a second.
tickets_awaiting = sa.text(f"tickets.state IN ('{TicketState.ASKED}', '{TicketState.ACCEPTED}')")
_awaiting = sa.text(f"state IN ('{TicketState.ASKED}', '{TicketState.ACCEPTED}')")
sa.Index("tickets_awaiting", tickets.c.asked_at, sqlite_where=_awaiting, postgresql_where=_awaiting)
# A kitchen's limit counts by it, and its own look reads it.
sa.Index("tickets_by_state", tickets.c.merchant, tickets.c.restaurant, tickets.c.state)

_r, _t = restaurants.c, tickets.c
_LOCK = (
    sa.select(restaurants)
    .where(_r.merchant == sa.bindparam("of_merchant"), one_of(_r.id, "ids"))
    .order_by(_r.id)
    .with_for_update()
)
_FIND = sa.select(restaurants).where(
    _r.merchant == sa.bindparam("of_merchant"), _r.id == sa.bindparam("of_id")
)
_LIST = sa.select(restaurants).order_by(_r.id)
_PREPARING = sa.select(sa.func.count()).where(
    _t.merchant == sa.bindparam("of_merchant"),
    _t.restaurant == sa.bindparam("of_restaurant"),
    _t.state == TicketState.ACCEPTED,
)
_TICKET = sa.select(tickets).where(_t.order_id == sa.bindparam("of_order"))
_CHANGE = sa.update(tickets).where(
    _t.order_id == sa.bindparam("of_order"), one_of(_t.state, "among")
)
_ANSWERED = _CHANGE.values(
    state=sa.bindparam("to_state"),
    answered_at=sa.bindparam("to_answered_at"),
    minutes=sa.bindparam("to_minutes"),
    reason=sa.bindparam("to_reason"),
)
_READY = _CHANGE.values(state=sa.bindparam("to_state"), ready_at=sa.bindparam("to_ready_at"))
_ENDED = _CHANGE.values(state=sa.bindparam("to_state"), reason=sa.bindparam("to_reason"))


def _upsert(table: sa.Table, keys: Sequence[str]) -> PerDialect:
    def build(insert: DialectInsert) -> sa.Executable:
        row = insert(table)
        changed = {c.name: row.excluded[c.name] for c in table.c if c.name not in keys}
        upsert: sa.Executable = row.on_conflict_do_update(index_elements=keys, set_=changed)
        return upsert

    return PerDialect(build)


_PUT = _upsert(restaurants, ("merchant", "id"))
_ASK = _upsert(tickets, ("order_id",))


def _lock(tx: Tx, keys: Sequence[Key]) -> dict[Key, Restaurant]:
    found: dict[Key, Restaurant] = {}
    for merchant, of_merchant in groupby(sorted(keys), key=itemgetter(0)):
        asked = {"of_merchant": merchant, "ids": [name for _, name in of_merchant]}
        rows = tx.execute(_LOCK, asked).all()
        found |= {(merchant, row.id): _restaurant(row) for row in rows}
    return found


_GATHERED = Gathered(_lock)


def put(tx: Tx, restaurant: Restaurant) -> None:
    """Make a restaurant, or change it."""
    row = {c.name: getattr(restaurant, c.name) for c in restaurants.c}
    tx.execute(_PUT, row | {"hours": orjson.dumps(dict(restaurant.hours)).decode()})
    _GATHERED.forget(tx, [(restaurant.merchant, restaurant.id)])


def find(tx: Tx, merchant: str, name: str) -> Restaurant | None:
    """Give a restaurant, gathered or read."""
    key = merchant, name
    if not _GATHERED.knows(tx, key):  # who looks at one alone does not lock it
        row = tx.execute(_FIND, {"of_merchant": merchant, "of_id": name}).one_or_none()
        _GATHERED.put(tx, key, _restaurant(row) if row else None)
    return _GATHERED.get(tx, key)


def gather(tx: Tx, keys: Iterable[Key]) -> None:
    """Lock these (merchant, restaurant), in one order, and read them for `find`."""
    _GATHERED.gather(tx, keys)


def listing(tx: Tx, merchant: str, *, limit: int, cursor: str = "") -> list[Restaurant]:
    """List a merchant's restaurants by id; the cursor is the last one seen."""
    query = _LIST.where(_r.merchant == merchant, _r.id > cursor).limit(limit)
    return [_restaurant(row) for row in tx.execute(query)]


def preparing(tx: Tx, restaurant: Restaurant) -> int:
    """Count what it prepares now. Under the restaurant's lock nobody adds to that."""
    where = {"of_merchant": restaurant.merchant, "of_restaurant": restaurant.id}
    return int(tx.execute(_PREPARING, where).scalar_one())


def ask(tx: Tx, ticket: Ticket) -> None:
    """Write a ticket; one of the same order is written over."""
    tx.execute(_ASK, {c.name: getattr(ticket, c.name) for c in tickets.c})


def accept(tx: Tx, order_id: str, minutes: int, now_ms: int) -> None:
    """Write that the restaurant takes it on, to be ready in so many minutes.

    Done at once and not with `later`, so that whoever counts in this transaction sees it.
    """
    facts = {
        "to_state": TicketState.ACCEPTED,
        "to_answered_at": now_ms,
        "to_minutes": minutes,
        "to_reason": "",
    }
    tx.execute(_ANSWERED, facts | _asked(order_id))


def reject(tx: Tx, order_id: str, reason: str, now_ms: int) -> None:
    """Write that the restaurant does not take it."""
    facts = {"to_answered_at": now_ms, "to_minutes": None, "to_reason": reason}
    tx.execute(_ANSWERED, facts | {"to_state": TicketState.REJECTED} | _asked(order_id))


def note_ready(tx: Tx, order_id: str, now_ms: int) -> bool:
    """Write that the food is ready; False: it is not being prepared."""
    row = {
        "of_order": order_id,
        "among": [TicketState.ACCEPTED],
        "to_state": TicketState.READY,
        "to_ready_at": now_ms,
    }
    return tx.execute(_READY, row).rowcount == 1


def end(tx: Tx, order_id: str, state: TicketState, reason: str = "") -> bool:
    """Take a ticket off the restaurant's hands; False: nothing of it is under way."""
    row = {"of_order": order_id, "among": UNDER_WAY, "to_state": state, "to_reason": reason}
    return tx.execute(_ENDED, row).rowcount == 1


def ticket_of(tx: Tx, order_id: str) -> Ticket | None:
    """Give the ticket of an order."""
    row = tx.execute(_TICKET, {"of_order": order_id}).one_or_none()
    return Ticket(*row) if row else None


def tickets_of(
    tx: Tx,
    merchant: str,
    restaurant: str,
    *,
    states: Collection[TicketState],
    limit: int,
    cursor: str = "",
) -> list[Ticket]:
    """List a restaurant's tickets in these states, oldest order first."""
    query = sa.select(tickets).where(_t.merchant == merchant, _t.restaurant == restaurant)
    query = query.where(_t.state.in_(sorted(states)), _t.order_id > cursor)
    return [Ticket(*row) for row in tx.execute(query.order_by(_t.order_id).limit(limit))]


def _asked(order_id: str) -> dict[str, Any]:
    return {"of_order": order_id, "among": [TicketState.ASKED]}


def _restaurant(row: SelectedRow) -> Restaurant:
    facts = row._asdict()
    hours = {day: tuple(spans) for day, spans in orjson.loads(facts.pop("hours")).items()}
    return Restaurant(**facts, hours=hours)
