"""The attempts of calls to providers, as they are on record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from conveyor.core.bound import UNTOLD
from conveyor.core.call_state import IN_EFFECT, OPEN, CallState
from conveyor.core.routing_slip import service_of
from conveyor.core.statements import one_of
from conveyor.core.tables import calls, detached_months
from conveyor.core.transaction import Tx

OrderId = sa.ColumnElement[str]
Condition = sa.ColumnElement[bool]

IS_OPEN = sa.or_(*(calls.c.state == state for state in sorted(OPEN)))
_MAY_BE_REPEATED = sa.or_(IS_OPEN, calls.c.state == CallState.NOT_APPLIED)
# What was asked is only read again while it may be asked again.
_COLUMNS = [
    sa.case((_MAY_BE_REPEATED, column), else_="").label(column.name)
    if column.name == "request"
    else column
    for column in calls.c
]
_OF_ORDERS = (
    sa.select(*_COLUMNS)
    .where(one_of(calls.c.order_id, "ids", bounded=True))
    .order_by(calls.c.order_id, calls.c.attempt)
)
_OF_ORDER = (
    sa.select(*_COLUMNS)
    .where(calls.c.order_id == sa.bindparam("of_order"))
    .order_by(calls.c.intended_at, calls.c.step, calls.c.attempt)
)


class Attempt(NamedTuple):
    """A row of `calls`. Until `may_run_until` a request with its key may still take effect.

    `provider` says who was called, by the name that bound it; '' where none could be chosen.
    """

    order_id: str
    step: str
    attempt: int
    state: CallState
    intended_at: int
    ended_at: int | None
    may_run_until: int
    taken: int
    request: str
    provider: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it is not known what became of it."""
        return self.state in OPEN


class Attempts:
    """The newest attempt of each step, of some orders."""

    def __init__(self, attempts: Iterable[Attempt] = ()) -> None:
        """Take them as they were begun; of several of a step the last counts."""
        self._of: defaultdict[str, dict[str, Attempt]] = defaultdict(dict)
        for it in attempts:
            self._of[it.order_id][it.step] = it

    def of(self, order_id: str) -> Collection[Attempt]:
        """Give those of an order."""
        return self._of[order_id].values()

    def last(self, order_id: str, step: str) -> Attempt | None:
        """Give that of a step; None: it has called nobody."""
        return self._of[order_id].get(step)

    def called(self, order_id: str, services: Collection[str]) -> str:
        """Give whom an order has called by a step of these services: it calls nobody else then."""
        ours = (it for it in self.of(order_id) if service_of(it.step) in services)
        return next((it.provider for it in ours if it.provider), "")


def latest(tx: Tx, order_ids: Sequence[str]) -> Attempts:
    """Read the newest attempt of each order and step."""
    rows = tx.execute(_OF_ORDERS, {"ids": list(order_ids)}).all()
    return Attempts(map(Attempt._make, rows))


def of_order(tx: Tx, order_id: str) -> list[Attempt]:
    """Give all attempts of an order, in the order in which they were begun."""
    return [Attempt(*row) for row in tx.execute(_OF_ORDER, {"of_order": order_id})]


def called(order_id: OrderId, services: Collection[str]) -> sa.ColumnElement[str]:
    """Give, in a statement, whom an order has called by a step of these services; '' for nobody."""
    found = sa.select(sa.func.coalesce(sa.func.max(calls.c.provider), "")).where(
        calls.c.order_id == order_id, _is_of(services)
    )
    return found.scalar_subquery()


def summed_up(services: Collection[str], which: Callable[[OrderId], Condition]) -> sa.Subquery:
    """Sum up the calls of many orders at once: `order_id`, how many are `open`, and `called`.

    That is whom a step of these services has called; null for nobody.
    """
    of_services = sa.func.max(sa.case((_is_of(services), calls.c.provider)))
    is_open = sa.func.count().filter(IS_OPEN).label("open")
    sums = sa.select(calls.c.order_id, is_open, of_services.label("called"))
    return sums.where(which(calls.c.order_id)).group_by(calls.c.order_id).subquery()


def called_in(sums: sa.Subquery, order_id: OrderId) -> sa.ColumnElement[str]:
    """Give whom an order has called, as `summed_up` says: '' for nobody, `UNTOLD` if detached."""
    months = detached_months.c
    gone = sa.exists().where(order_id >= months.since, order_id < months.until)
    return sa.case((sums.c.called.is_not(None), sums.c.called), (gone, UNTOLD), else_="")


def _is_of(services: Collection[str]) -> Condition:
    of_services = (calls.c.step.startswith(f"{it}.", autoescape=True) for it in services)
    return sa.or_(sa.false(), *of_services)


def has_effect(tx: Tx, order_id: str, step: str) -> bool:
    """Whether a call of this step has, or may have, taken effect, be it not the last."""
    return any(it.step == step and it.state in IN_EFFECT for it in of_order(tx, order_id))
