"""What is to be done with a message once its group's transaction has committed."""

from __future__ import annotations

from dataclasses import dataclass

from conveyor.core.calling import Calling


@dataclass(frozen=True, slots=True)
class Handled:
    """The effect is committed: delete the message."""

    parked: bool = False


@dataclass(frozen=True, slots=True)
class Stale:
    """The order's version is not the message's: delete it."""


@dataclass(frozen=True, slots=True)
class Orphaned:
    """Its order is not in the database, as after a restore: delete it."""

    order_id: str


@dataclass(frozen=True, slots=True)
class Poisoned:
    """It can never be handled: to the dead-letter queue with the cause."""

    cause: str


@dataclass(frozen=True, slots=True)
class Faulted:
    """Leave the message and let it be seen again in so many seconds."""

    rest_seconds: int


@dataclass(frozen=True, slots=True)
class Returned:
    """Nothing can be committed now: give the message back. It is nobody's fault."""


@dataclass(frozen=True, slots=True)
class Held:
    """Its time has not come (its turn, or the end of a call): delete it, it is owed again."""


Verdict = Handled | Stale | Orphaned | Poisoned | Faulted | Returned | Held | Calling
