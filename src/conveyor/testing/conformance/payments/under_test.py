"""A provider as its tests see it, and what they ask of it again and again."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from conveyor.commerce.payments.ports import Approved, Declined, PaymentProvider, PaymentRequest

Story = Callable[[PaymentProvider], Awaitable[None]]


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
