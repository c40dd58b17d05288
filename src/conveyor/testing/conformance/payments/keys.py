"""A key gives one answer: over races, restarts, and answers that were lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from conveyor.commerce.payments.ports import (
    Approved,
    Declined,
    PaymentAnswer,
    PaymentProvider,
    PaymentRequest,
)
from conveyor.core.errors import KeySpentError, NotAppliedError, UnansweredError
from conveyor.testing.conformance.payments.under_test import (
    ProviderUnderTest,
    assert_captured,
    authorization,
    authorized,
    of,
)

RACERS = 50


class Keys:
    """Each with the fixture `kind` of the subclass."""

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

    def test_a_charge_that_is_not_answered_is_found_by_its_key(
        self, kind: ProviderUnderTest
    ) -> None:
        async def story(provider: PaymentProvider) -> None:
            with pytest.raises(UnansweredError):
                await provider.charge(authorization(kind, kind.unanswered), "charge")
            assert isinstance(await provider.lookup("charge"), Approved)

        kind.play(story)
