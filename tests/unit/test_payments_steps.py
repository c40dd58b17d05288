"""The steps of payments, against the simulated provider."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.unit.payment_driver import NOW_MS, Shop, an_order, open_shop, take

from conveyor.commerce.payments.model import Balance
from conveyor.commerce.payments.ports import (
    Approved,
    Declined,
    PaymentAnswer,
    PaymentProvider,
    PaymentRequest,
)
from conveyor.commerce.payments.steps import MoneyNotReturnedError, payment_steps
from conveyor.core.errors import NotAppliedError, UnansweredError
from conveyor.core.outcome import Done, Outcome, Park, Refused
from conveyor.core.step import Now

AUTHORIZE, CAPTURE = "payments.authorize", "payments.capture"
VOID, REFUND = "payments.void", "payments.refund"
CHARGE = "payments.charge"

Story = Callable[[Shop], Awaitable[None]]


def in_a_shop(directory: Path, story: Story) -> None:
    """Tell a story in a fresh shop, whose books equal the provider's ledger at its end."""

    async def main() -> None:
        shop = await open_shop(directory)
        await story(shop)
        assert await shop.books() == await shop.provider.totals()
        await shop.close()

    asyncio.run(main())


def amount_of(outcome: Outcome) -> int:
    assert isinstance(outcome, Done)
    amount: int = outcome.detail["amount"]
    return amount


def test_an_order_is_authorized_captured_and_refunded(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        order = an_order(total=2354)
        authorized = await shop.take(AUTHORIZE, order)
        assert isinstance(authorized, Done)
        assert authorized.detail.keys() == {"reference", "amount", "currency"}
        assert amount_of(authorized) == 2354
        assert await shop.books() == [Balance("USD", captured=0, refunded=0, open=2354)]
        assert amount_of(await shop.take(CAPTURE, order)) == 2354
        assert await shop.books() == [Balance("USD", captured=2354, refunded=0, open=0)]
        assert amount_of(await shop.take(REFUND, order)) == 2354
        assert await shop.books() == [Balance("USD", captured=2354, refunded=2354, open=0)]

    in_a_shop(tmp_path, story)


def test_an_order_is_charged_in_one_and_refunded(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        order = an_order(total=999)
        assert amount_of(await shop.take(CHARGE, order)) == 999
        assert await shop.books() == [Balance("USD", captured=999, refunded=0, open=0)]
        assert await shop.take(VOID, order) == Done({"nothing_to": "void"})
        assert await shop.take(CAPTURE, order) == Done({"captured_before": 999})
        assert amount_of(await shop.take(REFUND, order)) == 999
        assert await shop.books() == [Balance("USD", captured=999, refunded=999, open=0)]

    in_a_shop(tmp_path, story)


def test_a_charge_that_nobody_answers_for_is_refused_with_a_decline(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        for method, reason in (
            ("card_insufficient_funds", "insufficient funds"),
            ("card_stolen", "card reported stolen"),
        ):
            assert await shop.take(CHARGE, an_order(method, method=method)) == Refused(reason)
        assert await shop.books() == []

    in_a_shop(tmp_path, story)


def test_an_authorization_is_voided_when_the_order_is_undone(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        order = an_order()
        await shop.take(AUTHORIZE, order)
        assert amount_of(await shop.take(VOID, order)) == order.total
        assert await shop.books() == [Balance("USD", captured=0, refunded=0, open=0)]
        assert await shop.take(CAPTURE, order) == Park(
            "nothing is authorized that could be captured"
        )

    in_a_shop(tmp_path, story)


@pytest.mark.parametrize("step", [AUTHORIZE, CAPTURE, CHARGE, VOID, REFUND])
def test_a_free_order_passes_without_a_call(tmp_path: Path, step: str) -> None:
    async def story(shop: Shop) -> None:
        free = an_order(total=0, method="card_down")
        assert await shop.take(step, free) == Done({"free": True})
        assert await shop.answered(free.id) == []

    in_a_shop(tmp_path, story)


def test_what_is_not_there_needs_no_return(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        untouched, captured = an_order("1"), an_order("2")
        await shop.take(AUTHORIZE, captured)
        await shop.take(CAPTURE, captured)
        assert await shop.take(VOID, untouched) == Done({"nothing_to": "void"})
        assert await shop.take(REFUND, untouched) == Done({"nothing_to": "refund"})
        assert await shop.take(VOID, captured) == Done({"nothing_to": "void"})
        assert await shop.take(CAPTURE, captured) == Done({"captured_before": captured.total})
        await shop.take(REFUND, captured)
        assert await shop.take(REFUND, captured) == Done({"nothing_to": "refund"})

    in_a_shop(tmp_path, story)


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("card_declined", "card declined"),
        ("card_insufficient_funds", "insufficient funds"),
        ("bank_of_nowhere", "unknown payment method"),
        ("", "unknown payment method"),
    ],
)
def test_a_declined_card_refuses_the_order(tmp_path: Path, method: str, reason: str) -> None:
    async def story(shop: Shop) -> None:
        assert await shop.take(AUTHORIZE, an_order(method=method)) == Refused(reason)
        assert await shop.books() == []

    in_a_shop(tmp_path, story)


def test_a_capture_that_is_declined_refuses_the_order(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        order = an_order()
        await shop.take(AUTHORIZE, order)
        declining = Answering(Declined("expired"))
        assert await take(shop.database, declining, CAPTURE, order) == Refused("expired")
        assert amount_of(await shop.take(VOID, order)) == order.total

    in_a_shop(tmp_path, story)


@pytest.mark.parametrize("step", [VOID, REFUND])
def test_a_return_that_is_declined_is_a_fault_and_can_be_tried_again(
    tmp_path: Path, step: str
) -> None:
    async def story(shop: Shop) -> None:
        order = an_order()
        await shop.take(AUTHORIZE, order)
        if step == REFUND:
            await shop.take(CAPTURE, order)
        with pytest.raises(MoneyNotReturnedError) as caught:
            await take(shop.database, Answering(Declined("closed account")), step, order)
        assert caught.value.reason == "closed account"
        assert caught.value.request.amount == order.total
        assert amount_of(await shop.take(step, order)) == order.total

    in_a_shop(tmp_path, story)


def test_a_return_whose_decline_is_learnt_by_asking_is_asked_for_anew(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        order = an_order()
        await shop.take(AUTHORIZE, order)
        silent = Answering(Declined("closed account"), calls_are_lost=True)
        with pytest.raises(MoneyNotReturnedError, match="closed account"):
            await take(shop.database, silent, VOID, order)
        assert amount_of(await shop.take(VOID, order)) == order.total

    in_a_shop(tmp_path, story)


def test_faults_are_retried_and_an_outage_stays_a_fault(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        flaky, down = an_order("1", method="card_flaky"), an_order("2", method="card_down")
        for step in (AUTHORIZE, CAPTURE, REFUND):
            assert amount_of(await shop.take(step, flaky)) == flaky.total
        with pytest.raises(NotAppliedError):
            await shop.take(AUTHORIZE, down)

    in_a_shop(tmp_path, story)


def test_a_lost_answer_is_asked_for_and_the_money_moves_once(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        order = an_order(method="card_unanswered")
        assert amount_of(await shop.take(AUTHORIZE, order)) == order.total
        assert amount_of(await shop.take(CAPTURE, order)) == order.total
        assert len(await shop.answered(order.id)) == 2

    in_a_shop(tmp_path, story)


def test_a_request_is_the_same_when_it_is_prepared_again(tmp_path: Path) -> None:
    async def story(shop: Shop) -> None:
        order = an_order()
        await shop.take(AUTHORIZE, order)
        step = payment_steps(shop.provider)[CAPTURE]
        prepare = [
            await shop.database.run(lambda tx: step.prepare(tx, order, Now(NOW_MS)))  # type: ignore[attr-defined]
            for _ in range(2)
        ]
        assert prepare[0] == prepare[1]
        assert isinstance(prepare[0], PaymentRequest)
        await shop.take(VOID, order)

    in_a_shop(tmp_path, story)


class Answering(PaymentProvider):
    """A provider with one answer to everything, which calls may not give but lookups do."""

    def __init__(self, answer: Approved | Declined, *, calls_are_lost: bool = False) -> None:
        self._answer = answer
        self._calls_are_lost = calls_are_lost

    async def authorize(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        return await self._answered(request, key)

    async def capture(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        return await self._answered(request, key)

    async def charge(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        return await self._answered(request, key)

    async def void(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        return await self._answered(request, key)

    async def refund(self, request: PaymentRequest, key: str) -> PaymentAnswer:
        return await self._answered(request, key)

    async def lookup(self, key: str) -> PaymentAnswer | None:  # noqa: ARG002 - the port's
        return self._answer

    async def _answered(self, _request: PaymentRequest, _key: str) -> PaymentAnswer:
        if self._calls_are_lost:
            raise UnansweredError
        return self._answer
