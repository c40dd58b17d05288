"""The simulated payment provider: each payment method does what it says, also after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.unit.payment_driver import NOW_MS, Shop, an_order, open_shop

from conveyor.adapters.simulated.payments import SLOW_SECONDS
from conveyor.commerce.payments.model import Balance
from conveyor.commerce.payments.ports import Approved, Declined, PaymentRequest
from conveyor.core.errors import NotAppliedError, UnansweredError
from conveyor.testing.loop import run_virtual


def lives(directory: Path, *stories: Callable[[Shop], Awaitable[None]]) -> None:
    """Tell each story to a provider that has just been started again."""

    async def live(story: Callable[[Shop], Awaitable[None]]) -> None:
        shop = await open_shop(directory)
        await story(shop)
        await shop.close()

    for story in stories:
        asyncio.run(live(story))


def request(method: str, order: str = "1", authorization: str = "") -> PaymentRequest:
    return PaymentRequest(order, 100, "USD", method, authorization)


def test_flaky_faults_twice_for_each_operation_of_each_order_whatever_restarts(
    tmp_path: Path,
) -> None:
    async def fault(shop: Shop) -> None:
        for order in ("1", "2"):
            with pytest.raises(NotAppliedError):
                await shop.provider.authorize(request("card_flaky", order), f"{order}/authorize")

    async def work(shop: Shop) -> None:
        answer = await shop.provider.authorize(request("card_flaky"), "1/authorize")
        assert isinstance(answer, Approved)
        capture = request("card_flaky", authorization=answer.reference)
        with pytest.raises(NotAppliedError):
            await shop.provider.capture(capture, "1/capture")

    lives(tmp_path, fault, fault, work)


def test_unanswered_is_silent_once_for_what_moves_money_forward(tmp_path: Path) -> None:
    async def be_silent(shop: Shop) -> None:
        for order in ("1", "2"):
            with pytest.raises(UnansweredError):
                await shop.provider.authorize(request("card_unanswered", order), f"{order}/a")

    async def answer(shop: Shop) -> None:
        taken, let_go = await shop.provider.lookup("1/a"), await shop.provider.lookup("2/a")
        assert isinstance(taken, Approved)
        assert isinstance(let_go, Approved)
        one = request("card_unanswered", "1", taken.reference)
        with pytest.raises(UnansweredError):
            await shop.provider.capture(one, "1/c")
        assert isinstance(await shop.provider.refund(one, "1/r"), Approved)
        other = request("card_unanswered", "2", let_go.reference)
        assert isinstance(await shop.provider.void(other, "2/v"), Approved)

    lives(tmp_path, be_silent, answer)


def test_unanswered_is_silent_once_even_when_asked_with_another_key(tmp_path: Path) -> None:
    async def be_silent(shop: Shop) -> None:
        with pytest.raises(UnansweredError):
            await shop.provider.authorize(request("card_unanswered"), "one")

    async def answer(shop: Shop) -> None:
        assert isinstance(
            await shop.provider.authorize(request("card_unanswered"), "other"), Approved
        )

    lives(tmp_path, be_silent, answer)


def test_unanswered_answers_when_nothing_was_applied(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        nobodys = request("card_unanswered", authorization="nobody's")
        assert isinstance(await shop.provider.capture(nobodys, "k"), Declined)

    lives(tmp_path, story)


def test_down_faults_for_ever(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        for attempt in range(10):
            with pytest.raises(NotAppliedError):
                await shop.provider.authorize(request("card_down"), f"k{attempt}")
        assert await shop.answered("1") == []

    lives(tmp_path, story, story)


def test_slow_takes_its_time_and_holds_up_nobody(tmp_path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        shop = await open_shop(tmp_path)
        slow = asyncio.ensure_future(shop.provider.authorize(request("card_slow"), "slow"))
        quick = await shop.provider.authorize(request("card_ok"), "quick")
        assert isinstance(quick, Approved)
        assert loop.time() == 0
        assert await shop.provider.lookup("slow") is None
        assert isinstance(await slow, Approved)
        assert loop.time() == SLOW_SECONDS
        await shop.close()

    run_virtual(main())


def test_a_caller_who_gives_up_undoes_nothing(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        sent = asyncio.ensure_future(shop.provider.authorize(request("card_ok"), "k"))
        await asyncio.sleep(0)
        sent.cancel()
        assert isinstance(await shop.provider.lookup("k"), Approved)

    lives(tmp_path, story)


def test_the_ledger_tells_of_each_order_and_of_the_sums(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        returned, held, euro = an_order("1"), an_order("2"), an_order("3", total=7, currency="EUR")
        declined = an_order("4", method="card_declined")
        for order in (returned, held, euro, declined):
            await shop.take("payments.authorize", order)
        for step in ("payments.capture", "payments.refund"):
            await shop.take(step, returned)
        await shop.take("payments.void", euro)
        entries = await shop.answered(returned.id)
        assert [entry.operation for entry in entries] == ["authorize", "capture", "refund"]
        assert {(entry.approved, entry.amount, entry.at) for entry in entries} == {
            (True, returned.total, NOW_MS)
        }
        (no,) = await shop.answered(declined.id)
        assert (no.approved, no.reason) == (False, "card declined")
        assert await shop.provider.totals() == [
            Balance("EUR", captured=0, refunded=0, open=0),
            Balance("USD", captured=2354, refunded=2354, open=held.total),
        ]

    lives(tmp_path, story)
