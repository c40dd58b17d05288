"""What is authorized, captured, charged, refunded and voided is bounded by what was before."""

from __future__ import annotations

from conveyor.commerce.payments.ports import Approved, Declined, PaymentProvider
from conveyor.testing.conformance.payments.under_test import (
    ProviderUnderTest,
    assert_captured,
    authorization,
    authorized,
    of,
)


class Amounts:
    """Each with the fixture `kind` of the subclass."""

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
