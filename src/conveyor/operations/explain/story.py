"""The data of a story. Times are milliseconds since the epoch, money is in minor units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conveyor.commerce.payments.model import Payment
from conveyor.core.archived import Archived
from conveyor.core.attempts import Attempt
from conveyor.core.detached import Detached
from conveyor.core.order import Order
from conveyor.core.parking import Parked
from conveyor.core.tracing import trace_id_of
from conveyor.extension import Fact

DONE = "done"
NOW = "now"
AHEAD = "ahead"
UNDONE = "undone"
UNDOING = "undoing"
NOT_TAKEN = "not_taken"


@dataclass(frozen=True, slots=True)
class Stop:
    """A step of the order's routing slip, and how far it is."""

    step: str
    undo: str
    state: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: an entry of the timeline, or a call's begin or end; `says` it."""

    at: int
    event: str
    step: str
    attempt: int
    version: int
    detail: Mapping[str, Any]
    says: str


@dataclass(frozen=True, slots=True)
class Wait:
    """What the order waits for now; `until` is None when nothing happens by itself.

    `todo` is what somebody has to do about that, outside of the order.
    """

    what: str
    until: int | None = None
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody can do about the order, and what that does."""

    what: str
    does: str


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of an order; where its story was `detached`, the slip is not told.

    Of one that was `archived` it is told as it was then.
    """

    order: Order
    slip: tuple[Stop, ...]
    events: tuple[Event, ...]
    calls: tuple[Attempt, ...]
    payment: Payment | None
    parked: Parked | None
    wait: Wait | None
    choices: tuple[Choice, ...]
    facts: tuple[Fact, ...] = ()
    detached: Detached | None = None
    archived: Archived | None = None

    @property
    def trace_id(self) -> str:
        """The trace that the order is in; '' for none."""
        return trace_id_of(self.order.traceparent)
