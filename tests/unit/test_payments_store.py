"""The books of payments: what the table forbids, and the sums of each currency."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError
from tests.unit.payment_driver import Shop, open_shop

from conveyor.commerce.payments import store
from conveyor.commerce.payments.model import Balance, Payment
from conveyor.core.errors import VersionConflictError
from conveyor.core.transaction import Tx


def authorized(name: str, amount: int = 100, currency: str = "USD") -> Payment:
    order_id = name.rjust(26, "0")
    return Payment(order_id, currency, "card_ok", "ref", amount, 0, 0, voided=False)


ORDER = authorized("1").order_id


def over_capture(tx: Tx) -> None:
    store.capture(tx, ORDER, 101)


def capture_twice(tx: Tx) -> None:
    store.capture(tx, ORDER, 40)
    store.capture(tx, ORDER, 40)


def over_refund(tx: Tx) -> None:
    store.capture(tx, ORDER, 100)
    tx.flush()
    store.refund(tx, ORDER, 101)


def refund_uncaptured(tx: Tx) -> None:
    store.refund(tx, ORDER, 1)


def void_captured(tx: Tx) -> None:
    store.capture(tx, ORDER, 100)
    tx.flush()
    store.void(tx, ORDER)


def capture_voided(tx: Tx) -> None:
    store.void(tx, ORDER)
    tx.flush()
    store.capture(tx, ORDER, 100)


def authorize_twice(tx: Tx) -> None:
    store.add(tx, authorized("1"))


@pytest.mark.parametrize(
    "wrong",
    [
        over_capture,
        capture_twice,
        over_refund,
        refund_uncaptured,
        void_captured,
        capture_voided,
        authorize_twice,
    ],
)
def test_what_would_be_somebodys_money_is_a_fault(
    tmp_path: Path, wrong: Callable[[Tx], None]
) -> None:
    async def main() -> None:
        shop = await open_shop(tmp_path)
        await shop.database.run(lambda tx: store.add(tx, authorized("1")))
        with pytest.raises(IntegrityError):
            await shop.database.run(wrong)
        unchanged = await shop.database.read(lambda tx: store.of_order(tx, ORDER))
        assert unchanged == authorized("1")
        await shop.close()

    asyncio.run(main())


def test_money_is_never_entered_for_an_order_that_has_no_payment(tmp_path: Path) -> None:
    async def main() -> None:
        shop = await open_shop(tmp_path)
        with pytest.raises(VersionConflictError):
            await shop.database.run(lambda tx: store.capture(tx, ORDER, 1))
        assert await shop.database.read(lambda tx: store.of_order(tx, ORDER)) is None
        await shop.close()

    asyncio.run(main())


def test_books_sum_each_currency(tmp_path: Path) -> None:
    def enter(tx: Tx) -> None:
        held, taken, returned, let_go = (authorized(name) for name in "1234")
        euro = authorized("5", 7, "EUR")
        for payment in (held, taken, returned, let_go, euro):
            store.add(tx, payment)
        tx.flush()
        store.void(tx, let_go.order_id)
        store.capture(tx, taken.order_id, 60)
        store.capture(tx, returned.order_id, 100)
        store.capture(tx, euro.order_id, 7)
        tx.flush()
        store.refund(tx, returned.order_id, 30)

    async def story(shop: Shop) -> None:
        await shop.database.run(enter)
        assert await shop.books() == [
            Balance("EUR", captured=7, refunded=0, open=0),
            Balance("USD", captured=160, refunded=30, open=100),
        ]

    told(tmp_path, story)


def told(directory: Path, story: Callable[[Shop], Awaitable[None]]) -> None:
    async def main() -> None:
        shop = await open_shop(directory)
        await story(shop)
        await shop.close()

    asyncio.run(main())
