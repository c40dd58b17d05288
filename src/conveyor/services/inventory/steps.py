"""The steps of inventory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conveyor.messaging.order import Order
from conveyor.messaging.outcome import Done, Outcome, Refused
from conveyor.messaging.step import AnyStep, LocalStep, Now
from conveyor.messaging.transaction import Tx
from conveyor.services.inventory import store
from conveyor.services.inventory.model import wanted


def reserve(tx: Tx, order: Order, _now: Now) -> Outcome:
    """Take everything the order wants, or nothing; sold out and unknown are refusals."""
    items = order.body["items"]
    units = wanted(items)
    taken: list[str] = []
    for sku, count in units.items():
        if not store.take(tx, order.merchant, sku, count):
            for earlier in taken:
                store.give_back(tx, order.merchant, earlier, units[earlier])
            return _refusal(tx, order.merchant, sku, count)
        taken.append(sku)
    store.add_reservations(tx, order.id, items)
    return Done({"reserved": units})


def release(tx: Tx, order: Order, _now: Now) -> Outcome:
    """Compensate `reserve`. What was sold meanwhile has left the warehouse and stays sold."""
    store.release(tx, order.merchant, order.id, wanted(order.body["items"]))
    return Done()


def sell(tx: Tx, order: Order, _now: Now) -> Outcome:
    """Count the order's reservation as sold, in the transaction in which the goods leave."""
    store.sell(tx, order.merchant, order.id, wanted(order.body["items"]))
    return Done()


def lock_stock(tx: Tx, orders: Sequence[Order]) -> None:
    """Lock all the stock that a group of orders will touch."""
    if tx.dialect == "postgresql":  # spares SQLite the reading of every order's body
        store.lock_levels(
            tx, ((order.merchant, item["sku"]) for order in orders for item in order.body["items"])
        )


def _refusal(tx: Tx, merchant: str, sku: str, wanted_units: int) -> Refused:
    level = store.level(tx, merchant, sku)
    if level is None:
        return Refused(f"unknown SKU: {sku}")
    detail = {"sku": sku, "wanted": wanted_units, "available": level.available}
    return Refused(f"sold out: {sku}", detail)


STEPS: Mapping[str, AnyStep] = {
    "inventory.reserve": LocalStep(reserve, gather=lock_stock),
    "inventory.release": LocalStep(release, gather=lock_stock),
    "inventory.sell": LocalStep(sell, gather=lock_stock),
}
