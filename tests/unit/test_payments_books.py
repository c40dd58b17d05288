"""Whatever steps are taken, in whatever order, our books equal the provider's to the cent."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.payment_driver import Shop, an_order, open_shop

from conveyor.adapters.simulated.payment_answers import Method
from conveyor.commerce.payments import store
from conveyor.core.errors import NotAppliedError
from conveyor.core.order import Order

STEPS = ("payments.authorize", "payments.capture", "payments.void", "payments.refund")
NO_WAITING = sorted(set(Method) - {Method.SLOW})
ORDERS = st.tuples(
    st.sampled_from(NO_WAITING), st.integers(0, 1_000), st.sampled_from(("USD", "EUR"))
)
# The flows never authorize an order twice; everything else may come in any order.
LATER_STEPS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(STEPS[1:])), max_size=12)


@given(st.lists(ORDERS, min_size=4, max_size=4), LATER_STEPS)
@settings(max_examples=30, deadline=None)
def test_books_equal_the_ledger(
    kinds: list[tuple[Method, int, str]], later: list[tuple[int, str]]
) -> None:
    orders = [
        an_order(str(number), method=method, total=total, currency=currency)
        for number, (method, total, currency) in enumerate(kinds)
    ]

    async def main(directory: Path) -> None:
        shop = await open_shop(directory)
        for order in orders:
            await attempt(shop, STEPS[0], order)
        for number, step in later:
            await attempt(shop, step, orders[number])
        assert await shop.books() == await shop.provider.totals()
        for order in orders:
            await assert_sound(shop, order)
        await shop.close()

    with TemporaryDirectory() as directory:
        asyncio.run(main(Path(directory)))


async def attempt(shop: Shop, step: str, order: Order) -> None:
    with suppress(NotAppliedError):
        await shop.take(step, order)


async def assert_sound(shop: Shop, order: Order) -> None:
    payment = await shop.database.read(lambda tx: store.of_order(tx, order.id))
    entries = [e for e in await shop.answered(order.id) if e.approved]
    if payment is None:
        assert entries == []
        return
    assert payment.captured in {0, order.total}
    assert 0 <= payment.refunded <= payment.captured <= payment.authorized == order.total
    assert sum(e.operation == "capture" for e in entries) <= 1
