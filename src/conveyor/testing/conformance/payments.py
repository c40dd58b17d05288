"""What every payment provider promises: subclass it, give a fixture `kind`, and run pytest.

class TestOurBank(PaymentProviderConformance):
@pytest.fixture
def kind(self) -> ProviderUnderTest:
return OurBank()
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from conveyor.commerce.payments.ports import (
    Approved,
    Declined,
    PaymentAnswer,
    PaymentProvider,
    PaymentRequest,
)
from conveyor.core.errors import KeySpentError, NotAppliedError, UnansweredError

Story = Callable[[PaymentProvider], Awaitable[None]]
RACERS = 50


@dataclass(frozen=True)
class ProviderUnderTest:
    """A provider that keeps its word over restarts, and the payment methods that its tests have.

    `shared`: several processes may have it open at once.
    """

    shared: bool = True
    good: str = "card_ok"
    declined: str = "card_declined"
    stolen: str = "card_stolen"
    unanswered: str = "card_unanswered"
    """It is done, and the answer is lost."""
    failing_at_first: str = "card_flaky"
    """Twice it certainly does nothing, then it works, with the same key."""
    saving_errors: str = "card_saved_error"
    """It certainly does nothing, and plays that back under the same key."""

    @abstractmethod
    def opened(self) -> AbstractAsyncContextManager[PaymentProvider]:
        """Open it, as a process would that has just started."""

    @asynccontextmanager
    async def opened_twice(self) -> AsyncIterator[tuple[PaymentProvider, PaymentProvider]]:
        """Open it in what could be two processes, or once when only one may."""
        async with AsyncExitStack() as stack:
            one = await stack.enter_async_context(self.opened())
            other = await stack.enter_async_context(self.opened()) if self.shared else one
            yield one, other

    def play(self, *stories: Story) -> None:
        """Tell each story to a provider that is opened anew."""

        async def tell(story: Story) -> None:
            async with self.opened() as provider:
                await story(provider)

        for story in stories:
            asyncio.run(tell(story))


def authorization(kind: ProviderUnderTest, method: str = "", amount: int = 100) -> PaymentRequest:
    """Give a request to authorize, by the method that works where none is named."""
    return PaymentRequest("order", amount, "USD", method or kind.good)


async def authorized(provider: PaymentProvider, request: PaymentRequest) -> str:
    """Authorize; gives the reference."""
    answer = await provider.authorize(request, "authorize")
    assert isinstance(answer, Approved)
    return answer.reference


def of(
    reference: str, kind: ProviderUnderTest, amount: int = 100, currency: str = "USD"
) -> PaymentRequest:
    """Give a request about what was authorized."""
    return PaymentRequest("order", amount, currency, kind.good, reference)


async def assert_captured(
    provider: PaymentProvider, kind: ProviderUnderTest, ref: str, amount: int
) -> None:
    """Assert that exactly `amount` is captured: all of it can be refunded, and no more."""
    too_much = await provider.refund(of(ref, kind, amount + 1), "probe-more")
    assert isinstance(too_much, Declined)
    assert isinstance(await provider.refund(of(ref, kind, amount), "probe"), Approved)
    assert isinstance(await provider.refund(of(ref, kind, 1), "probe-again"), Declined)


class PaymentProviderConformance:
    """The tests; `kind` is a fixture of the subclass."""

    def test_the_same_key_gives_the_same_answer_and_is_applied_once(
        self, kind: ProviderUnderTest
    ) -> None:
        async def story(provider: PaymentProvider) -> None:
            async def racing(send: Callable[[], Awaitable[PaymentAnswer]]) -> PaymentAnswer:
                answers = await asyncio.gather(*(send() for _ in range(RACERS)))
                assert len(set(answers)) == 1
                return answers[0]

            first = await racing(lambda: provider.authorize(authorization(kind), "authorize"))
            assert isinstance(first, Approved)
            request = of(first.reference, kind)
            assert isinstance(await racing(lambda: provider.capture(request, "capture")), Approved)
            part = of(first.reference, kind, 60)
            assert isinstance(await racing(lambda: provider.refund(part, "refund")), Approved)
            await assert_captured(provider, kind, first.reference, 40)

        kind.play(story)

    def test_keys_are_remembered_over_restarts(self, kind: ProviderUnderTest) -> None:
        answers: list[PaymentAnswer] = []

        async def authorize_and_decline(provider: PaymentProvider) -> None:
            answers.append(await provider.authorize(authorization(kind), "yes"))
            answers.append(await provider.authorize(authorization(kind, kind.declined), "no"))

        kind.play(authorize_and_decline, authorize_and_decline)
        assert answers[:2] == answers[2:]

    def test_processes_that_race_with_one_key_get_one_answer(self, kind: ProviderUnderTest) -> None:
        async def main() -> None:
            async with kind.opened_twice() as (one, other):
                answers = await asyncio.gather(
                    *(
                        provider.authorize(authorization(kind), f"authorize-{number}")
                        for number in range(RACERS)
                        for provider in (one, other)
                    )
                )
            assert answers[0::2] == answers[1::2]
            assert len(set(answers)) == RACERS

        asyncio.run(main())

    def test_processes_that_race_with_different_keys_capture_once(
        self, kind: ProviderUnderTest
    ) -> None:
        async def main() -> None:
            async with kind.opened_twice() as both:
                reference = await authorized(both[0], authorization(kind))
                captures = await asyncio.gather(
                    *(
                        provider.capture(of(reference, kind), f"capture-{place}-{number}")
                        for number in range(RACERS)
                        for place, provider in enumerate(both)
                    )
                )
                assert sum(isinstance(answer, Approved) for answer in captures) == 1
                await assert_captured(both[0], kind, reference, 100)

        asyncio.run(main())

    def test_lookup_gives_the_answer_or_nothing(self, kind: ProviderUnderTest) -> None:
        async def story(provider: PaymentProvider) -> None:
            answer = await provider.authorize(authorization(kind), "yes")
            declined = await provider.authorize(authorization(kind, kind.declined), "no")
            assert await provider.lookup("yes") == answer
            assert await provider.lookup("no") == declined
            assert isinstance(declined, Declined)
            assert await provider.lookup("never sent") is None

        kind.play(story)

    def test_a_lost_answer_is_found_and_nothing_is_applied_twice(
        self, kind: ProviderUnderTest
    ) -> None:
        async def lose(provider: PaymentProvider) -> None:
            with pytest.raises(UnansweredError):
                await provider.authorize(authorization(kind, kind.unanswered), "authorize")

        async def find(provider: PaymentProvider) -> None:
            found = await provider.lookup("authorize")
            assert isinstance(found, Approved)
            again = await provider.authorize(authorization(kind, kind.unanswered), "authorize")
            assert again == found
            capture = PaymentRequest("order", 100, "USD", kind.unanswered, found.reference)
            with pytest.raises(UnansweredError):
                await provider.capture(capture, "capture")
            assert isinstance(await provider.lookup("capture"), Approved)
            await assert_captured(provider, kind, found.reference, 100)

        kind.play(lose, find)

    def test_what_was_not_applied_leaves_no_trace_and_works_with_the_same_key(
        self, kind: ProviderUnderTest
    ) -> None:
        async def fail(provider: PaymentProvider) -> None:
            request = authorization(kind, kind.failing_at_first)
            for _ in range(2):
                with pytest.raises(NotAppliedError) as caught:
                    await provider.authorize(request, "authorize")
                assert not isinstance(caught.value, KeySpentError)
                assert await provider.lookup("authorize") is None

        async def work(provider: PaymentProvider) -> None:
            request = authorization(kind, kind.failing_at_first)
            answer = await provider.authorize(request, "authorize")
            assert isinstance(answer, Approved)
            assert await provider.authorize(request, "authorize") == answer

        kind.play(fail, work)

    def test_an_error_that_is_played_back_says_that_its_key_is_spent(
        self, kind: ProviderUnderTest
    ) -> None:
        async def fail(provider: PaymentProvider) -> None:
            with pytest.raises(NotAppliedError):
                await provider.authorize(authorization(kind, kind.saving_errors), "1")

        async def play_back(provider: PaymentProvider) -> None:
            request = authorization(kind, kind.saving_errors)
            for _ in range(5):
                with pytest.raises(KeySpentError):
                    await provider.authorize(request, "1")
            assert await provider.lookup("1") is None
            with pytest.raises(NotAppliedError):
                await provider.authorize(request, "2")
            assert isinstance(await provider.authorize(request, "3"), Approved)
            with pytest.raises(KeySpentError):
                await provider.authorize(request, "2")

        kind.play(fail, play_back)

    def test_no_more_is_captured_than_was_authorized(self, kind: ProviderUnderTest) -> None:
        async def story(provider: PaymentProvider) -> None:
            reference = await authorized(provider, authorization(kind))
            too_much = await provider.capture(of(reference, kind, 101), "more")
            euro = await provider.capture(of(reference, kind, currency="EUR"), "euro")
            nobodys = await provider.capture(of("no such", kind), "nobody's")
            nothing = await provider.capture(of(reference, kind, 0), "nothing")
            for answer in (too_much, euro, nobodys, nothing):
                assert isinstance(answer, Declined)
                assert answer.reason
            assert isinstance(await provider.capture(of(reference, kind), "all"), Approved)
            assert isinstance(await provider.capture(of(reference, kind), "again"), Declined)
            await assert_captured(provider, kind, reference, 100)

        kind.play(story)

    def test_a_charge_is_applied_once_and_can_be_refunded_but_not_captured(
        self, kind: ProviderUnderTest
    ) -> None:
        async def story(provider: PaymentProvider) -> None:
            charged = await provider.charge(authorization(kind), "charge")
            assert isinstance(charged, Approved)
            assert await provider.charge(authorization(kind), "charge") == charged
            assert await provider.lookup("charge") == charged
            assert isinstance(await provider.capture(of(charged.reference, kind), "more"), Declined)
            assert isinstance(await provider.void(of(charged.reference, kind), "void"), Declined)
            await assert_captured(provider, kind, charged.reference, 100)

        kind.play(story)

    def test_a_charge_that_is_not_answered_is_found_by_its_key(
        self, kind: ProviderUnderTest
    ) -> None:
        async def story(provider: PaymentProvider) -> None:
            with pytest.raises(UnansweredError):
                await provider.charge(authorization(kind, kind.unanswered), "charge")
            assert isinstance(await provider.lookup("charge"), Approved)

        kind.play(story)

    def test_a_decline_says_whether_another_day_could_change_it(
        self, kind: ProviderUnderTest
    ) -> None:
        async def story(provider: PaymentProvider) -> None:
            for method, final in ((kind.declined, False), (kind.stolen, True)):
                answer = await provider.charge(authorization(kind, method), method)
                assert isinstance(answer, Declined)
                assert answer.final is final
                assert await provider.lookup(method) == answer

        kind.play(story)

    def test_no_more_is_refunded_than_was_captured(self, kind: ProviderUnderTest) -> None:
        async def story(provider: PaymentProvider) -> None:
            reference = await authorized(provider, authorization(kind))
            assert isinstance(await provider.refund(of(reference, kind, 1), "early"), Declined)
            await provider.capture(of(reference, kind, 70), "capture")
            assert isinstance(await provider.refund(of(reference, kind, 30), "part"), Approved)
            await assert_captured(provider, kind, reference, 40)

        kind.play(story)

    def test_an_authorization_is_either_captured_or_voided(self, kind: ProviderUnderTest) -> None:
        async def story(provider: PaymentProvider) -> None:
            captured = await provider.authorize(authorization(kind), "one")
            voided = await provider.authorize(authorization(kind), "other")
            assert isinstance(captured, Approved)
            assert isinstance(voided, Approved)
            await provider.capture(of(captured.reference, kind), "capture")
            assert isinstance(await provider.void(of(captured.reference, kind), "late"), Declined)
            assert isinstance(await provider.void(of(voided.reference, kind), "void"), Approved)
            assert isinstance(await provider.void(of(voided.reference, kind), "again"), Approved)
            assert isinstance(await provider.capture(of(voided.reference, kind), "late"), Declined)

        kind.play(story)
