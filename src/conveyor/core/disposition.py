"""What is to be done with a message once its group's transaction has committed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from conveyor.core.breaker import Breaker
from conveyor.core.calling import PendingCall


@dataclass(frozen=True, slots=True)
class Handled:
    """The effect is committed: delete the message."""

    counted_as: ClassVar = "handled"

    parked: bool = False


@dataclass(frozen=True, slots=True)
class Stale:
    """The order's version is not the message's: delete it."""

    counted_as: ClassVar = "stale"


@dataclass(frozen=True, slots=True)
class Orphaned:
    """Its order is not in the database, as after a restore: delete it."""

    counted_as: ClassVar = "orphaned"

    order_id: str


@dataclass(frozen=True, slots=True)
class Poisoned:
    """It can never be handled: to the dead-letter queue with the cause."""

    counted_as: ClassVar = "poisoned"

    cause: str


@dataclass(frozen=True, slots=True)
class Faulted:
    """Leave the message and let it be seen again in so many seconds."""

    counted_as: ClassVar = "faulted"

    rest_seconds: int


@dataclass(frozen=True, slots=True)
class Returned:
    """Nothing can be committed now: give the message back. It is nobody's fault."""

    counted_as: ClassVar = "returned"


@dataclass(frozen=True, slots=True)
class Held:
    """Its time has not come (its turn, or the end of a call): delete it, it is owed again."""

    counted_as: ClassVar = "held"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Its provider is paused: delete it, it is owed again."""

    counted_as: ClassVar = "waiting"

    order_id: str
    breaker: Breaker


Disposition = (
    Handled | Stale | Orphaned | Poisoned | Faulted | Returned | Held | Waiting | PendingCall
)
