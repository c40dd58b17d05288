"""The attempts of calls to providers, as they are on record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.call_state import IN_EFFECT, OPEN, CallState
from conveyor.core.routing_slip import service_of
from conveyor.core.statements import one_of
from conveyor.core.tables import calls
from conveyor.core.transaction import Tx

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
    .where(one_of(calls.c.order_id, "ids"))
    .order_by(calls.c.order_id, calls.c.attempt)
)
_OF_ORDER = (
    sa.select(*_COLUMNS)
    .where(calls.c.order_id == sa.bindparam("of_order"))
    .order_by(calls.c.intended_at, calls.c.step, calls.c.attempt)
)


@dataclass(frozen=True, slots=True)
class Attempt:
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
    return Attempts(Attempt(*row) for row in tx.execute(_OF_ORDERS, {"ids": list(order_ids)}))


def of_order(tx: Tx, order_id: str) -> list[Attempt]:
    """Give all attempts of an order, in the order in which they were begun."""
    return [Attempt(*row) for row in tx.execute(_OF_ORDER, {"of_order": order_id})]


def called(order_id: sa.ColumnElement[str], services: Collection[str]) -> sa.ColumnElement[str]:
    """Give, in a statement, whom an order has called by a step of these services; '' for nobody."""
    of_services = (calls.c.step.startswith(f"{it}.", autoescape=True) for it in services)
    found = sa.select(sa.func.coalesce(sa.func.max(calls.c.provider), "")).where(
        calls.c.order_id == order_id, sa.or_(sa.false(), *of_services)
    )
    return found.scalar_subquery()


def has_effect(tx: Tx, order_id: str, step: str) -> bool:
    """Whether a call of this step has, or may have, taken effect, be it not the last."""
    return any(it.step == step and it.state in IN_EFFECT for it in of_order(tx, order_id))
