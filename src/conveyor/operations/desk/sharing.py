"""What the orders of a pile have in common: where to look for what is behind their cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from conveyor.core.order import Order
from conveyor.core.untyped import Json
from conveyor.operations.desk.members import Member

SAMPLE = 100
"""How many orders of a pile are looked at."""
MOST_OF_THEM = 0.8
"""What so large a part of them has is told."""


@dataclass(frozen=True, slots=True)
class Shared:
    """So many of the orders that were looked at have this value of `what`."""

    what: str
    value: str
    count: int
    of: int


def shared_by(them: Sequence[Member]) -> list[Shared]:
    """Say what most of these orders have in common; of one alone nothing can be said."""
    if len(them) <= 1:
        return []
    counts = Counter(fact for it in them for fact in set(_facts(it)))
    least = len(them) * MOST_OF_THEM
    common = [Shared(*fact, count, len(them)) for fact, count in counts.items() if count >= least]
    return sorted(common, key=lambda it: (-it.count, it.what, it.value))


def _facts(it: Member) -> Iterator[tuple[str, str]]:
    order = it.order
    body: dict[str, Json] = order.body
    yield "merchant", order.merchant
    yield "flow", order.flow
    yield "currency", order.currency
    yield "customer", order.customer
    yield "tries", str(it.parked.attempts)
    payment = body.get("payment")
    if isinstance(payment, dict) and isinstance(payment.get("method"), str):
        yield "payment", payment["method"]
    for sku in _skus(order):
        yield "SKU", sku


def _skus(order: Order) -> Iterable[str]:
    items = order.body.get("items")
    lines = items if isinstance(items, list) else []
    return [str(line["sku"]) for line in lines if isinstance(line, dict) and "sku" in line]
