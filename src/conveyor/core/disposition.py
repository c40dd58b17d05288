"""What is to be done with a message, or with what rides, once its transaction has committed."""

from __future__ import annotations

from dataclasses import dataclass

from conveyor.core.breaker import Breaker
from conveyor.core.provider_call import ProviderCall


@dataclass(frozen=True, slots=True)
class Delete:
    """It has done what it was for, or can do nothing any more.

    `counted_as` says why. `said` is for the log, of its order. `waits_for` is whoever its order
    waits for, which is owed the same token again.
    """

    counted_as: str
    said: str = ""
    waits_for: Breaker | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """Leave the message and let it be seen again in so many seconds: after a fault, as a rule."""

    seconds: int
    counted_as: str = "faulted"


@dataclass(frozen=True, slots=True)
class Bury:
    """It can never be handled: to the dead-letter queue with the cause."""

    cause: str
    counted_as: str = "poisoned"


Disposition = Delete | Rest | Bury | ProviderCall

HANDLED = Delete("handled")
"""The effect is committed."""
PARKED = Delete("handled")
"""The same: what came of it is that the order stops here."""
STALE = Delete("stale")
"""The order's version is not the token's."""
HELD = Delete("held")
"""Its time has not come (its turn, or the end of a call): it is owed again."""
ORPHANED = Delete("orphaned", "is not in the database, as after a restore: its token is dropped")
