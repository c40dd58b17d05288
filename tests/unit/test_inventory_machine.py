"""Whatever is done in whatever order, stock adds up (Hypothesis plays the shop)."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.unit.goods_driver import MERCHANT, NOW_MS, Books, order

from conveyor.core.order import Order
from conveyor.core.outcome import Done
from conveyor.core.step import LocalStep, Now
from conveyor.core.transaction import Tx
from conveyor.flows.shop.inventory import store
from conveyor.flows.shop.inventory.model import Goods, wanted
from conveyor.flows.shop.inventory.steps import STEPS

SKUS = st.sampled_from(["A", "B", "C"])
ITEMS = st.lists(st.tuples(SKUS, st.integers(1, 4)), min_size=1, max_size=4)


def run_step(tx: Tx, name: str, one: Order) -> object:
    step = STEPS[name]
    assert isinstance(step, LocalStep)
    return step.run(tx, one, Now(NOW_MS))


class Shop(RuleBasedStateMachine):
    """Compares the tables with a count of ours; groups of orders share a transaction."""

    books: Books
    reserved = Bundle("reserved")

    def __init__(self) -> None:
        super().__init__()
        self.books.clear()
        self.number = 0
        self.expected: dict[str, dict[str, int]] = {}

    @rule(sku=SKUS, units=st.integers(0, 12))
    def set_stock(self, sku: str, units: int) -> None:
        level = self.books.run(lambda tx: store.set_stock(tx, MERCHANT, sku, units))
        ours = self.expected.setdefault(sku, {"available": 0, "reserved": 0, "sold": 0})
        ours["available"] = units
        assert level.available == units

    @rule(target=reserved, group=st.lists(ITEMS, min_size=1, max_size=3))
    def reserve(self, group: list[list[tuple[str, int]]]) -> list[Order]:
        orders = [order(self.number + i, *items) for i, items in enumerate(group)]
        self.number += len(orders)
        with self.books.tx() as tx:
            outcomes = [run_step(tx, "inventory.reserve", one) for one in orders]
        granted = []
        for one, outcome in zip(orders, outcomes, strict=True):
            units = wanted(one.body_as(Goods).items)
            possible = all(self.units(sku, "available") >= count for sku, count in units.items())
            assert isinstance(outcome, Done) is possible
            if possible:
                self.move(one, "available", "reserved")
                granted.append(one)
        return granted

    @rule(orders=consumes(reserved), sells=st.booleans(), times=st.integers(1, 2))
    def end(self, orders: list[Order], *, sells: bool, times: int) -> None:
        name = "inventory.sell" if sells else "inventory.release"
        for _ in range(times):
            with self.books.tx() as tx:
                for one in orders:
                    run_step(tx, name, one)
        for one in orders:
            self.move(one, "reserved", "sold" if sells else "available")

    @invariant()
    def all_is_accounted_for(self) -> None:
        levels = self.books.run(lambda tx: store.list_stock(tx, MERCHANT, 100))
        assert all(level.balanced for level in levels)
        assert self.expected == {
            level.sku: {
                "available": level.available,
                "reserved": level.reserved,
                "sold": level.sold,
            }
            for level in levels
        }

    def units(self, sku: str, part: str) -> int:
        return self.expected.get(sku, {}).get(part, -1)

    def move(self, one: Order, source: str, target: str) -> None:
        for sku, count in wanted(one.body_as(Goods).items).items():
            self.expected[sku][source] -= count
            self.expected[sku][target] += count


def test_stock_adds_up_whatever_is_done(books: Books) -> None:
    machine = type("ShopOnBooks", (Shop,), {"books": books})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
