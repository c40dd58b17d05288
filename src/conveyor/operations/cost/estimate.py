"""What a flow costs a month, each way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conveyor.core.queue import QueueSpec
from conveyor.core.routing_slip import Flow
from conveyor.operations.cost import assumptions as given
from conveyor.operations.cost.items import DIGITS, Bill, Line
from conveyor.operations.cost.measured import Measured, PerOrder, measured
from conveyor.operations.cost.prices import PriceList, price_list
from conveyor.operations.cost.ways import WAYS, Load


@dataclass(frozen=True, slots=True)
class Way:
    """One way to carry the orders, line by line."""

    name: str
    lines: Sequence[Line]

    @property
    def total(self) -> float:
        """Dollars a month."""
        return round(sum(it.cost for it in self.lines), DIGITS)


@dataclass(frozen=True, slots=True)
class Estimate:
    """All ways, and what they rest on."""

    flow: str
    orders_a_day: int
    orders_a_month: float
    each: PerOrder
    ways: Sequence[Way]
    prices: PriceList
    measured: Measured
    assumptions: Sequence[str]


def estimate(flow: Flow, queues: Sequence[QueueSpec], orders_a_day: int) -> Estimate:
    """Estimate what `orders_a_day` of a flow cost a month, with these queues in place.

    Raises KeyError for a flow that was not measured.
    """
    figures, prices = measured(), price_list()
    rate = orders_a_day / given.SECONDS_A_DAY
    orders = orders_a_day * given.DAYS_A_MONTH
    steps = Counter(step.service for step in flow.steps)
    fifo = {it.name for it in queues if it.fifo}
    share = sum(many for service, many in steps.items() if service in fifo) / steps.total()
    a_queue = rate * figures.flows[flow.name].messages / len(steps)
    each = figures.at(flow.name, 1 + a_queue * given.COLLECT_SECONDS)
    load = Load(flow, orders, rate, each, figures, Counter(it.fifo for it in queues), share)
    ways = [Way(name, way(Bill(prices), load)) for name, way in WAYS.items()]
    said = (*given.SAID, _of_express(Bill(prices), orders), *_borrowed(figures, flow.name))
    return Estimate(flow.name, orders_a_day, orders, each, ways, prices, figures, said)


def _borrowed(figures: Measured, flow: str) -> Iterator[str]:
    if names := figures.borrowed[flow]:
        what = ", ".join(name.replace("_", " ") for name in names)
        yield f"not measured of {flow}, so taken from {figures.yardstick}, by the messages: {what}"


def _of_express(bill: Bill, orders: float) -> str:
    cost = bill.item("executions", orders, "requests", "step_functions_express").cost
    return (
        f"Step Functions Express would ask ${cost:,.2f} for its requests, and more for their time; "
        "but an execution ends after five minutes, and orders wait for people and carriers"
    )
