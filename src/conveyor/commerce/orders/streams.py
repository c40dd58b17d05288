"""By which indexes orders are found: one stream for each thing that may be asked of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from conveyor.commerce.orders.order_filter import OrderFilter
from conveyor.commerce.orders.skus import order_skus
from conveyor.core.order_keys import email_of, flow_name_of
from conveyor.core.order_status import TERMINAL, OrderStatus
from conveyor.core.routing_slip import Place
from conveyor.core.statements import Asked, made_of
from conveyor.core.tables import orders, parked
from conveyor.core.untyped import Foreign

Condition = sa.ColumnElement[bool]
Places = Sequence[tuple[str, Place]]
"""Flows by `name@version`, and where an order of each is."""

_NONE = sa.text("''")  # as the indexes say it


class exactly(Asked):  # noqa: N801 - reads as an operator in a `where`
    """`column = value`, by an index of the column and in the order of that index.

    PostgreSQL leaves a column that is equal to something out of an order, and would then as soon
    read all orders by their ids; of a range it does not.
    """

    inherit_cache = True
    _traverse_internals = made_of("column", "value")

    def __init__(self, column: sa.ColumnElement[str], value: Foreign) -> None:
        """`value` is a text, or an expression."""
        self.column = column
        self.value = sa.literal(value) if isinstance(value, str) else value
        self.type = sa.Boolean()


@compiles(exactly, "postgresql")
def _between(element: exactly, compiler: Foreign, **kwargs: Foreign) -> str:
    column, value = (compiler.process(e, **kwargs) for e in (element.column, element.value))
    return f"{column} BETWEEN {value} AND {value}"


@compiles(exactly, "sqlite")
def _equal(element: exactly, compiler: Foreign, **kwargs: Foreign) -> str:
    column, value = (compiler.process(e, **kwargs) for e in (element.column, element.value))
    return f"{column} = {value}"


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Orders that an index finds, the newest first.

    `finds` is what that index is asked, `order` its order, of which the last is `id`. `rest` is
    what must be so of what it finds, `holds` all that must be so of an order that another stream
    has found, and no index is used for that. `counted` is all that is needed to count them. One
    that is `unsorted` is of use when it is short; to count one that is `dear` is to read the rows.
    """

    finds: tuple[Condition, ...]
    order: tuple[sa.ColumnElement[str], ...]
    holds: tuple[Condition, ...]
    rest: tuple[Condition, ...] = ()
    source: sa.FromClause = orders
    counted: sa.FromClause = orders
    id: sa.ColumnElement[str] = orders.c.id
    unsorted: bool = False
    dear: bool = False


def every_order() -> Stream:
    """Give all of them."""
    return Stream((), (orders.c.id,), ())


def streams(wanted: OrderFilter, merchant: str | None, places: Places) -> Iterator[Stream]:
    """Give those by which orders may be found that match; usually the shortest first."""
    if wanted.id is not None:
        yield Stream(
            (orders.c.id == wanted.id,), (orders.c.id,), (_apart(orders.c.id) == wanted.id,)
        )
    yield from _by_names(wanted)
    if wanted.sku is not None:
        yield _with_item(wanted.sku)
    if wanted.reason:
        yield _for_reason(wanted.reason, wanted.status)
    if wanted.status is not None:
        yield from _standing(wanted.status)
    if wanted.step is not None:
        yield _open(_owed(places))
    if wanted.flow is not None:
        yield replace(_of(flow_name_of(orders.c.flow), wanted.flow), dear=True)
    if merchant is not None:
        yield _of(orders.c.merchant, merchant)
    if wanted.settled_after is not None or wanted.settled_before is not None:
        yield _settled(wanted)


def conditions(wanted: OrderFilter) -> Iterator[Condition]:
    """Give what is to be so besides, and has no index."""
    if wanted.reference == "":
        yield _apart(orders.c.reference) == ""
    if wanted.reason == "":
        yield _apart(orders.c.reason) == ""
    if wanted.status == OrderStatus.COMPLETED:
        yield _status() == str(wanted.status)
    if wanted.placed_after is not None:
        yield orders.c.placed_at >= wanted.placed_after
    if wanted.placed_before is not None:
        yield orders.c.placed_at < wanted.placed_before


def _by_names(wanted: OrderFilter) -> Iterator[Stream]:
    """Find them by what those outside call them: two merchants may call theirs the same."""
    if wanted.reference:
        yield _of(orders.c.reference, wanted.reference, orders.c.reference != _NONE)
    if wanted.customer is not None:
        yield _of(orders.c.customer, wanted.customer)
    if wanted.email is not None:
        email = email_of(orders.c.body)
        yield _of(email, sa.func.lower(wanted.email), email.is_not(None))


def _of(column: sa.ColumnElement[str], value: Foreign, *also: Condition) -> Stream:
    finds = (exactly(column, value), *also)
    return Stream(finds, (column, orders.c.id), (_apart(column) == value,))


def _for_reason(reason: str, status: OrderStatus | None) -> Stream:
    stream = _of(orders.c.reason, reason, orders.c.reason != _NONE)
    if status not in TERMINAL:
        return stream
    ending = "" if status == OrderStatus.COMPLETED else str(status)
    return replace(stream, rest=(orders.c.ending == ending,))  # which the index holds


def _with_item(sku: str) -> Stream:
    here = order_skus.c.order_id == orders.c.id
    # As a value, and not as a condition, which PostgreSQL would make its way to all such orders.
    one = sa.select(order_skus.c.sku).where(order_skus.c.sku == sku, here)
    return Stream(
        (exactly(order_skus.c.sku, sku),),
        (order_skus.c.sku, order_skus.c.order_id),
        (one.correlate(orders).scalar_subquery().is_not(None),),
        source=_then_orders(order_skus.c.order_id),
        counted=order_skus,
        id=order_skus.c.order_id,
    )


def _standing(status: OrderStatus) -> Iterator[Stream]:
    is_so = _status() == str(status)
    if status == OrderStatus.PARKED:
        yield Stream(
            (),
            (parked.c.order_id,),
            (is_so,),
            (is_so,),
            source=_then_orders(parked.c.order_id),
            counted=parked,
            id=parked.c.order_id,
        )
    elif status == OrderStatus.COMPENSATING:
        open_ = orders.c.settled_at.is_(None)
        yield Stream((open_, orders.c.ending != _NONE), (orders.c.id,), (is_so,), (is_so,))
    elif status not in TERMINAL:
        yield _open(is_so)
    elif status != OrderStatus.COMPLETED:
        finds = (exactly(orders.c.ending, str(status)), orders.c.ending != _NONE)
        yield Stream(finds, (orders.c.ending, orders.c.id), (is_so,), (is_so,))


def _then_orders(order_id: sa.Column[str]) -> sa.FromClause:
    """Join orders to a table, and not that table to orders: for that it has no index."""
    return order_id.table.join(orders, _apart(order_id) == orders.c.id)


def _open(*holds: Condition) -> Stream:
    """Few orders are open, however many have settled."""
    return Stream((orders.c.settled_at.is_(None),), (orders.c.id,), holds, holds)


def _owed(places: Places) -> Condition:
    ending = _apart(orders.c.ending)
    return sa.and_(
        (orders.c.settled_at + 0).is_(None),
        sa.or_(
            sa.false(),
            *(
                sa.and_(orders.c.flow == flow, orders.c.position == it.position, back)
                for flow, it in places
                for back in [ending != "" if it.ending else ending == ""]
            ),
        ),
    )


def _settled(wanted: OrderFilter) -> Stream:
    at = orders.c.settled_at
    finds, holds = (tuple(_within(moment, wanted)) for moment in (at, at + 0))
    return Stream((at.is_not(None), *finds), (_apart(orders.c.id),), holds, unsorted=True)


def _within(moment: sa.ColumnElement[int | None], wanted: OrderFilter) -> Iterator[Condition]:
    if wanted.settled_after is not None:
        yield moment >= wanted.settled_after
    if wanted.settled_before is not None:
        yield moment < wanted.settled_before


def _status() -> sa.ColumnElement[str]:
    return sa.type_coerce(orders.c.status, sa.Text())


def _apart(column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """Give it so that no index is used for it."""
    return column.concat("")
