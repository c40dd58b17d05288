"""A call of an order's step to a provider: the leave to make it, what it asks, and what it gave."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

from conveyor.core.ambient import Ambient
from conveyor.core.attempts import Attempt
from conveyor.core.in_hand import InHand
from conveyor.core.order import Order
from conveyor.core.providers import CALL_SECONDS, Provider
from conveyor.core.step import CallStep

SETTLE_SECONDS = 30.0
"""How long a request that was cut off here may still be on its way to taking effect there."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to call, from the moment at which the call's transaction began.

    The request must be sent within `call_seconds` of it, and may then take as long again. `begun`
    is by the loop's steady clock, `begun_ms` by this process's wall clock: a machine that sleeps
    may stop the one, and somebody may set the other.
    """

    call_seconds: float = CALL_SECONDS
    begun: float = 0.0
    begun_ms: int = 0

    @property
    def may_run_ms(self) -> int:
        """For how long after its beginning the call may still take effect, in milliseconds."""
        return round((2 * self.call_seconds + SETTLE_SECONDS) * 1000)

    def is_over(self, ambient: Ambient) -> bool:
        """Whether it is too late to send the request; then somebody else may have decided."""
        steady = asyncio.get_running_loop().time() - self.begun
        by_the_wall = (ambient.now_ms() - self.begun_ms) / 1000
        return max(steady, by_the_wall) > self.call_seconds


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """It is pending once its intent is committed, and ended with its `result`.

    It is the first attempt unless `calls` finds that there were others.
    `known`: the provider may have the request already, ask first. `ask_only`: nothing may be
    asked for any more, only found. `times_taken` counts who has taken the attempt up, this one
    being the last. `alone`: whoever took it up before can do nothing with it any more;
    `others_until` says when that is so (milliseconds since the epoch).
    """

    counted_as: ClassVar = "calling"
    order: Order
    step_name: str
    step: CallStep[Any, Any]
    payload: object
    provider: Provider
    grant: Grant
    in_hand: InHand
    """The token for which it is made."""
    attempt: int = 1
    times_taken: int = 1
    known: bool = False
    ask_only: bool = False
    alone: bool = True
    others_until: int = 0
    result: object = None
    """The provider's answer, or why there is none: see `perform`."""
    recorded: Attempt | None = None
    """The attempt as it is when the result is; None where that need not be read: it is fenced."""

    @property
    def key(self) -> str:
        """The idempotency key: order, step, attempt."""
        return f"{self.order.id}/{self.step_name}/{self.attempt}"

    @property
    def decides(self) -> bool:
        """Whether nobody else can be calling with this key, or have done so unknown to us."""
        return self.alone and not self.was_taken_up

    @property
    def was_taken_up(self) -> bool:
        """Whether another has taken the attempt up since."""
        return self.recorded is not None and self.recorded.taken != self.times_taken
