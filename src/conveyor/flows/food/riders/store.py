"""The tables of riders and their SQL.

Whoever changes an offer holds the lock of its order; whoever changes a rider's load holds that of
the merchant's fleet as well, so that no two transactions want the same riders in another order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

import sqlalchemy as sa

from conveyor.core.gathered import Gathered
from conveyor.core.statements import one_of
from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.untyped import DialectInsert
from conveyor.core.word_column import WordOf
from conveyor.flows.food.riders.model import (
    LIVE,
    STANDING,
    Box,
    Offer,
    OfferState,
    Point,
    Rider,
)
from conveyor.flows.food.tables import metadata

fleets = sa.Table("fleets", metadata, sa.Column("merchant", sa.Text, primary_key=True))
riders = sa.Table(
    "riders",
    metadata,
    sa.Column("merchant", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("latitude", sa.Float, nullable=False),
    sa.Column("longitude", sa.Float, nullable=False),
    sa.Column("shift_until", sa.BigInteger, nullable=False),  # 0: off shift
    sa.Column("capacity", sa.Integer, nullable=False),
    sa.Column("load", sa.Integer, nullable=False),
    sa.Column("heard_at", sa.BigInteger, nullable=False),
    sa.Column("simulated", sa.Text, nullable=False),  # '' for one that answers for itself
    sa.CheckConstraint("load >= 0 AND load <= capacity", name="riders_load_in_capacity"),
)
sa.Index("riders_by_place", riders.c.merchant, riders.c.latitude)
offers = sa.Table(
    "offers",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("rider", sa.Text, primary_key=True),  # so never the same rider twice
    sa.Column("merchant", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("state", WordOf(OfferState), nullable=False),
    sa.Column("metres", sa.Integer, nullable=False),
    sa.Column("offered_at", sa.BigInteger, nullable=False),
    sa.Column("answer_by", sa.BigInteger, nullable=False),
    sa.Column("changed_at", sa.BigInteger, nullable=False),
    sa.CheckConstraint(f"state IN {tuple(map(str, OfferState))}", name="offers_state"),
)


_is_standing = sa.text(f"state IN {tuple(map(str, STANDING))}")
# The last line of defence against two riders on one order, whatever the code above it does.
sa.Index(
    "offers_one_standing",
    offers.c.order_id,
    unique=True,
    sqlite_where=_is_standing,
    postgresql_where=_is_standing,
)
# The few that are under way, for the simulated riders, who look once a second.
offers_live = sa.text(f"offers.state IN {tuple(map(str, LIVE))}")
_is_live = sa.text(f"state IN {tuple(map(str, LIVE))}")
sa.Index("offers_live", offers.c.changed_at, sqlite_where=_is_live, postgresql_where=_is_live)
sa.Index("offers_by_rider", offers.c.merchant, offers.c.rider, offers.c.state)

_r, _o = riders.c, offers.c
_this_rider = (_r.merchant == sa.bindparam("of_merchant"), _r.id == sa.bindparam("of_rider"))
_LOCK_FLEETS = (
    sa.select(fleets)
    .where(one_of(fleets.c.merchant, "merchants"))
    .order_by(fleets.c.merchant)
    .with_for_update()
)
_FIND = sa.select(riders).where(*_this_rider)
_NEAR = sa.select(riders).where(
    _r.merchant == sa.bindparam("of_merchant"),
    _r.latitude.between(sa.bindparam("south"), sa.bindparam("north")),
    _r.longitude.between(sa.bindparam("west"), sa.bindparam("east")),
    _r.shift_until > sa.bindparam("now"),
    _r.load < _r.capacity,
)
_TAKE_ON = (
    sa.update(riders)
    .where(*_this_rider, _r.load < _r.capacity, _r.shift_until > sa.bindparam("now"))
    .values(load=_r.load + 1)
)
_UNLOAD = sa.update(riders).where(*_this_rider).values(load=_r.load - 1)
_HEARD = sa.update(riders).where(*_this_rider).values(heard_at=sa.bindparam("at"))
_MOVED = (
    sa.update(riders)
    .where(*_this_rider)
    .values(
        latitude=sa.bindparam("to_latitude"),
        longitude=sa.bindparam("to_longitude"),
        heard_at=sa.bindparam("at"),
    )
)
_SHIFT = sa.update(riders).where(*_this_rider).values(shift_until=sa.bindparam("until"))
_OFFERS = sa.select(offers).where(one_of(_o.order_id, "orders")).order_by(_o.number)
_OFFER = sa.insert(offers)
_CHANGE = (
    sa.update(offers)
    .where(
        _o.order_id == sa.bindparam("of_order"),
        _o.rider == sa.bindparam("of_rider"),
        _o.state == sa.bindparam("from_state"),
    )
    .values(state=sa.bindparam("to_state"), changed_at=sa.bindparam("at"))
)


def _put(insert: DialectInsert) -> sa.Executable:
    row = insert(riders)
    changed = ("latitude", "longitude", "shift_until", "capacity", "heard_at", "simulated")
    upsert: sa.Executable = row.on_conflict_do_update(
        index_elements=["merchant", "id"], set_={name: row.excluded[name] for name in changed}
    )
    return upsert


_PUT = PerDialect(_put)
_PUT_FLEET = PerDialect(lambda insert: insert(fleets).on_conflict_do_nothing())


def put(tx: Tx, rider: Rider) -> bool:
    """Make a rider, or change it; the load stays as it is. False: that is above the capacity."""
    tx.execute(_PUT_FLEET, {"merchant": rider.merchant})
    lock_fleets(tx, [rider.merchant])
    before = find(tx, rider.merchant, rider.id)
    if before and before.load > rider.capacity:
        return False
    tx.execute(_PUT, {c.name: getattr(rider, c.name) for c in riders.c})
    return True


def lock_fleets(tx: Tx, merchants: Collection[str]) -> None:
    """Keep all others from changing what these merchants' riders carry, until the commit."""
    tx.execute(_LOCK_FLEETS, {"merchants": sorted(set(merchants))}).all()


def find(tx: Tx, merchant: str, name: str) -> Rider | None:
    """Give a rider."""
    row = tx.execute(_FIND, {"of_merchant": merchant, "of_rider": name}).one_or_none()
    return Rider(*row) if row else None


def listing(tx: Tx, merchant: str, *, limit: int, cursor: str = "") -> list[Rider]:
    """List a merchant's riders by id; the cursor is the last one seen."""
    query = sa.select(riders).where(_r.merchant == merchant, _r.id > cursor)
    return [Rider(*row) for row in tx.execute(query.order_by(_r.id).limit(limit))]


def free_in(tx: Tx, merchant: str, box: Box, now_ms: int) -> list[Rider]:
    """Give the riders in this box that can be offered an order."""
    where: dict[str, Any] = asdict(box)
    where |= {"of_merchant": merchant, "now": now_ms}
    rows = tx.execute(_NEAR, where)
    return [Rider(*row) for row in rows]


def move(tx: Tx, merchant: str, name: str, place: Point, now_ms: int) -> bool:
    """Write where a rider is now, which is a sign of life too; False: there is no such rider."""
    row: dict[str, Any] = {"to_latitude": place.latitude, "to_longitude": place.longitude}
    row |= {"at": now_ms, "of_merchant": merchant, "of_rider": name}
    return tx.execute(_MOVED, row).rowcount == 1


def set_shift(tx: Tx, merchant: str, name: str, until_ms: int) -> bool:
    """Begin or end a shift; what is carried is carried on. False: there is no such rider."""
    row = {"of_merchant": merchant, "of_rider": name, "until": until_ms}
    return tx.execute(_SHIFT, row).rowcount == 1


def hear(tx: Tx, merchant: str, name: str, now_ms: int) -> None:
    """Write a sign of life."""
    tx.execute(_HEARD, {"of_merchant": merchant, "of_rider": name, "at": now_ms})


# Offers are written at once and not with `later`: the next order of the same transaction must see
# what its riders carry.


def _read(tx: Tx, ids: Sequence[str]) -> dict[str, list[Offer]]:
    made: dict[str, list[Offer]] = {order_id: [] for order_id in ids}
    for row in tx.execute(_OFFERS, {"orders": ids}).all():
        made[row.order_id].append(Offer(*row))
    return made


_GATHERED = Gathered(_read)


def gather_offers(tx: Tx, order_ids: Iterable[str]) -> None:
    """Read the offers of these orders once, for `offers_of`."""
    _GATHERED.gather(tx, order_ids)


def offers_of(tx: Tx, order_id: str) -> list[Offer]:
    """Give all offers of an order, in the order in which they were made, gathered or read."""
    return list(_GATHERED.get(tx, order_id) or ())


def standing(tx: Tx, order_id: str) -> Offer | None:
    """Give the one offer of an order that is open, accepted or ridden; None: there is none."""
    return next((one for one in offers_of(tx, order_id) if one.state in STANDING), None)


def make(tx: Tx, offer: Offer, now_ms: int) -> bool:
    """Make an offer; False: the rider has become busy, or has gone."""
    row = {"of_merchant": offer.merchant, "of_rider": offer.rider, "now": now_ms}
    if tx.execute(_TAKE_ON, row).rowcount == 0:
        return False
    made = offers_of(tx, offer.order_id)
    tx.execute(_OFFER, asdict(offer))
    _GATHERED.put(tx, offer.order_id, [*made, offer])
    return True


def change(tx: Tx, offer: Offer, state: OfferState, now_ms: int) -> bool:
    """Move an offer on from the state that it was read in; False: it is in another by now."""
    row = {"of_order": offer.order_id, "of_rider": offer.rider, "from_state": offer.state}
    if tx.execute(_CHANGE, row | {"to_state": state, "at": now_ms}).rowcount == 0:
        return False
    changed = replace(offer, state=state, changed_at=now_ms)
    made = offers_of(tx, offer.order_id)
    now = [changed if one.rider == offer.rider else one for one in made]
    _GATHERED.put(tx, offer.order_id, now)
    if offer.state in LIVE and state not in LIVE:
        tx.execute(_UNLOAD, {"of_merchant": offer.merchant, "of_rider": offer.rider})
    return True


def rides_of(tx: Tx, merchant: str, name: str, *, limit: int) -> list[Offer]:
    """List what a rider is offered or carries, oldest first."""
    query = sa.select(offers).where(_o.merchant == merchant, _o.rider == name, _o.state.in_(LIVE))
    query = query.order_by(_o.offered_at, _o.order_id).limit(limit)
    return [Offer(*row) for row in tx.execute(query)]
