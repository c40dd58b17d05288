"""Reserving, releasing and selling stock, on both databases."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from tests.unit.goods_driver import MERCHANT, NOW_MS, Books, order

from conveyor.core.order import Order
from conveyor.core.outcome import Done, Outcome, Refused
from conveyor.core.step import LocalStep, Now
from conveyor.flows.shop.inventory import store
from conveyor.flows.shop.inventory.model import Line, StockLevel, wanted
from conveyor.flows.shop.inventory.steps import STEPS


def take(books: Books, step_name: str, *group: Order) -> list[Outcome]:
    """Take a step for a group of orders in one transaction, as the consumer does."""
    step = STEPS[step_name]
    assert isinstance(step, LocalStep)
    with books.tx() as tx:
        step.gather(tx, group)
        return [step.run(tx, one, Now(NOW_MS)) for one in group]


def have(books: Books, **available: int) -> None:
    books.run(lambda tx: store.import_stock(tx, MERCHANT, available.items()))


def level(books: Books, sku: str, merchant: str = MERCHANT) -> tuple[int, int, int, int]:
    """Give received, available, reserved, sold."""
    found = books.run(lambda tx: store.level(tx, merchant, sku))
    assert found
    return found.received, found.available, found.reserved, found.sold


def states(books: Books) -> list[tuple[str, int, str]]:
    rows = sa.select(
        store.reservations.c.sku, store.reservations.c.quantity, store.reservations.c.state
    ).order_by(store.reservations.c.order_id, store.reservations.c.line)
    return [tuple(row) for row in books.run(lambda tx: tx.execute(rows).all())]


def test_a_reservation_moves_units_from_available_to_reserved(books: Books) -> None:
    have(books, CD=10, LP=3)

    outcome = take(books, "inventory.reserve", order(1, ("CD", 2), ("LP", 3)))

    assert outcome == [Done({"reserved": {"CD": 2, "LP": 3}})]
    assert level(books, "CD") == (10, 8, 2, 0)
    assert level(books, "LP") == (3, 0, 3, 0)
    assert states(books) == [("CD", 2, "reserved"), ("LP", 3, "reserved")]


def test_lines_of_one_sku_are_one_demand(books: Books) -> None:
    have(books, CD=4)

    refused = take(books, "inventory.reserve", order(1, ("CD", 3), ("CD", 3)))
    granted = take(books, "inventory.reserve", order(2, ("CD", 1), ("CD", 3)))

    assert refused == [Refused("sold out: CD", {"sku": "CD", "wanted": 6, "available": 4})]
    assert granted == [Done({"reserved": {"CD": 4}})]
    assert states(books) == [("CD", 1, "reserved"), ("CD", 3, "reserved")]


@pytest.mark.parametrize(("short", "reason"), [("LP", "sold out: LP"), ("MC", "unknown SKU: MC")])
def test_an_order_that_cannot_have_everything_takes_nothing(
    books: Books, short: str, reason: str
) -> None:
    have(books, CD=10, LP=1)

    [refused, granted] = take(
        books, "inventory.reserve", order(1, ("CD", 2), (short, 2)), order(2, ("CD", 1))
    )

    assert isinstance(refused, Refused)
    assert refused.reason == reason
    assert isinstance(granted, Done)
    assert level(books, "CD") == (10, 9, 1, 0)
    assert level(books, "LP") == (1, 1, 0, 0)
    assert states(books) == [("CD", 1, "reserved")]


def test_stock_belongs_to_one_merchant(books: Books) -> None:
    have(books, CD=10)

    [outcome] = take(books, "inventory.reserve", order(1, ("CD", 1), merchant="other"))

    assert outcome == Refused("unknown SKU: CD")
    assert level(books, "CD") == (10, 10, 0, 0)


def test_a_release_makes_units_available_again_and_is_harmless_twice(books: Books) -> None:
    have(books, CD=10, LP=10)
    one, other = order(1, ("CD", 2), ("LP", 1), ("CD", 1)), order(2, ("CD", 4))
    take(books, "inventory.reserve", one, other)

    for _ in range(2):
        assert take(books, "inventory.release", one) == [Done()]
        assert level(books, "CD") == (10, 6, 4, 0)
        assert level(books, "LP") == (10, 10, 0, 0)
    assert [state for *_, state in states(books)] == ["released"] * 3 + ["reserved"]


def test_a_sale_is_harmless_twice_and_is_not_released(books: Books) -> None:
    have(books, CD=10)
    sold = order(1, ("CD", 1), ("CD", 2))
    take(books, "inventory.reserve", sold)

    for step in ("inventory.sell", "inventory.sell", "inventory.release"):
        assert take(books, step, sold) == [Done()]
        assert level(books, "CD") == (10, 7, 0, 3)
    assert states(books) == [("CD", 1, "sold"), ("CD", 2, "sold")]


def test_what_was_never_reserved_is_neither_released_nor_sold(books: Books) -> None:
    have(books, CD=10)
    take(books, "inventory.reserve", order(1, ("CD", 5)))
    stranger = order(2, ("CD", 5))

    take(books, "inventory.release", stranger)
    take(books, "inventory.sell", stranger)

    assert level(books, "CD") == (10, 5, 5, 0)


def test_without_a_commit_nothing_was_reserved(books: Books) -> None:
    have(books, CD=10)
    step = STEPS["inventory.reserve"]
    assert isinstance(step, LocalStep)

    def crash() -> None:
        with books.tx() as tx:
            step.run(tx, order(1, ("CD", 2)), Now(NOW_MS))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()

    assert level(books, "CD") == (10, 10, 0, 0)
    assert states(books) == []


def test_the_tables_themselves_refuse_to_oversell(books: Books) -> None:
    have(books, CD=1)

    for broken in ({"available": -1, "reserved": 2}, {"received": 2}):
        with pytest.raises(IntegrityError), books.tx() as tx:
            tx.execute(sa.update(store.stock).values(broken))

    assert level(books, "CD") == (1, 1, 0, 0)


def test_setting_stock_sets_what_is_available_and_keeps_what_is_promised(books: Books) -> None:
    have(books, CD=10)
    take(books, "inventory.reserve", order(1, ("CD", 2)), order(2, ("CD", 3)))
    take(books, "inventory.sell", order(1, ("CD", 2)))

    changed = books.run(lambda tx: store.set_stock(tx, MERCHANT, "CD", 0))
    created = books.run(lambda tx: store.set_stock(tx, "other", "CD", 7))

    assert changed == StockLevel(MERCHANT, "CD", received=5, available=0, reserved=3, sold=2)
    assert created == StockLevel("other", "CD", received=7, available=7, reserved=0, sold=0)
    assert changed.balanced
    assert created.balanced


def test_of_several_rows_of_one_sku_the_last_counts(books: Books) -> None:
    rows = [("LP", 1), ("CD", 5), ("LP", 9)]

    assert books.run(lambda tx: store.import_stock(tx, MERCHANT, rows)) == 2
    assert books.run(lambda tx: store.import_stock(tx, MERCHANT, [])) == 0

    assert level(books, "LP") == (9, 9, 0, 0)
    assert level(books, "CD") == (5, 5, 0, 0)


def test_stock_is_listed_page_by_page_for_its_merchant_alone(books: Books) -> None:
    have(books, A=1, B=2, C=3)
    books.run(lambda tx: store.set_stock(tx, "other", "B2", 9))

    first = books.run(lambda tx: store.list_stock(tx, MERCHANT, 2))
    rest = books.run(lambda tx: store.list_stock(tx, MERCHANT, 2, cursor=first[-1].sku))

    assert [(row.sku, row.available) for row in (*first, *rest)] == [("A", 1), ("B", 2), ("C", 3)]
    assert len(first) == 2


def test_everybody_wants_skus_in_one_order() -> None:
    items = [Line("B", 1), Line("A", 2), Line("B", 3)]

    assert list(wanted(items).items()) == [("A", 2), ("B", 4)]
