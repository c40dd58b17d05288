"""A call to a provider while it is under way: its grant, its deadline, and what it gave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from conveyor.core.ambient import Ambient
from conveyor.core.deadlines import Deadlines
from conveyor.core.errors import KeySpentError, NotAppliedError
from conveyor.core.order import Order
from conveyor.core.slots import Slots
from conveyor.core.step import CallStep

Send = Callable[[Any, str], Awaitable[object]]

CALL_SECONDS = 30.0
"""How long a provider may take to answer, unless the settings say otherwise."""
MAX_CALL_SECONDS = 3600.0
"""How long it may be at most: whoever takes a call up must know when it is over for sure."""
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
class PendingCall:
    """A call whose intent is committed.

    `known`: the provider may have the request already, ask first. `ask_only`: nothing may be
    asked for any more, only found. `taken` counts who has taken the attempt up, this one being
    the last. `alone`: whoever took it up before can do nothing with it any more; `others_until`
    says when that is so (milliseconds since the epoch).
    """

    counted_as: ClassVar = "calling"
    order: Order
    step_name: str
    step: CallStep[Any, Any]
    payload: object
    attempt: int
    grant: Grant
    taken: int = 1
    known: bool = False
    ask_only: bool = False
    alone: bool = True
    others_until: int = 0

    @property
    def key(self) -> str:
        """The idempotency key: order, step, attempt."""
        return f"{self.order.id}/{self.step_name}/{self.attempt}"


@dataclass(frozen=True, slots=True)
class Failed:
    """There is no answer. `certain`: this request did nothing; `spent`: nor will this key ever.

    `sent`: it may have been sent; where asking failed, it was not.
    """

    error: Exception
    certain: bool = False
    spent: bool = False
    sent: bool = True


@dataclass(frozen=True, slots=True)
class NothingFound:
    """The provider was only asked, and has no trace of it."""


@dataclass(frozen=True, slots=True)
class NotCalled:
    """It was too late to call when its turn came: nothing was sent."""


async def perform(
    calling: PendingCall, slots: Slots, deadlines: Deadlines, ambient: Ambient
) -> object:
    """Ask what became of an earlier call, then call, when a slot is free.

    Gives the provider's answer, `Failed`, `NothingFound` or `NotCalled`: each failure becomes a
    value.
    """
    await slots.take()
    try:
        found = await _outcome(calling.step.ask, calling, deadlines) if calling.known else None
        if isinstance(found, Failed):
            # That asking failed says nothing of the call; that the key is spent says it all.
            return replace(found, certain=found.spent, sent=False)
        if found is not None:
            return found
        if calling.ask_only:
            return NothingFound()
        if calling.grant.is_over(ambient):
            return NotCalled()
        return await _outcome(calling.step.call, calling, deadlines)
    finally:
        slots.give_back()


async def _outcome(send: Send, calling: PendingCall, deadlines: Deadlines) -> object:
    try:
        return await deadlines.keep(send(calling.payload, calling.key))
    except NotAppliedError as error:
        return Failed(error, certain=True, spent=isinstance(error, KeySpentError))
    except Exception as error:  # noqa: BLE001 - whatever it is, the provider may have acted
        return Failed(error)
