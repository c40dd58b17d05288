"""The steps of inventory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from conveyor.core.order import Order
from conveyor.core.outcome import Done, Outcome, Refused
from conveyor.core.step import LocalStep, Now, StepHandler
from conveyor.core.transaction import Tx
from conveyor.flows.shop.inventory import store
from conveyor.flows.shop.inventory.model import Goods, wanted


def reserve(tx: Tx, order: Order, _now: Now) -> Outcome:
    """Take everything the order wants, or nothing; sold out and unknown are refusals."""
    items = order.body_as(Goods).items
    units = wanted(items)
    there = store.available(tx, order.merchant, units)
    for sku, count in units.items():
        left = there[sku]
        if left is None:
            return Refused(f"unknown SKU: {sku}")
        if left < count:
            detail = {"sku": sku, "wanted": count, "available": left}
            return Refused(f"sold out: {sku}", detail)
    store.take(tx, order.merchant, order.id, items, units)
    return Done({"reserved": units})


def release(tx: Tx, order: Order, _now: Now) -> Outcome:
    """Compensate `reserve`. What was sold meanwhile has left the warehouse and stays sold."""
    store.release(tx, order.merchant, order.id)
    return Done()


def sell(tx: Tx, order: Order, _now: Now) -> Outcome:
    """Count the order's reservation as sold, in the transaction in which the goods leave."""
    store.sell(tx, order.merchant, order.id)
    return Done()


def gather_stock(tx: Tx, orders: Sequence[Order]) -> None:
    """Lock and read, once for a group, all that its orders want."""
    store.gather_available(tx, _keys(orders))


def gather_reservations(tx: Tx, orders: Sequence[Order]) -> None:
    """Read, once for a group, what is held for its orders, and lock the stock it came from."""
    store.gather_held(tx, (order.id for order in orders))
    store.lock_stock(tx, _keys(orders))


def _keys(orders: Sequence[Order]) -> Iterator[store.Key]:
    return ((it.merchant, line.sku) for it in orders for line in it.body_as(Goods).items)


STEPS: Mapping[str, StepHandler] = {
    "inventory.reserve": LocalStep(reserve, gather=gather_stock),
    "inventory.release": LocalStep(release, gather=gather_reservations),
    "inventory.sell": LocalStep(sell, gather=gather_reservations),
}
