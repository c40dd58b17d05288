"""Those outside whom steps call, as the calls of one process see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random

from conveyor.core.breaker import Breaker
from conveyor.core.deadlines import Deadlines
from conveyor.core.slots import Slots

CALL_SECONDS = 30.0
"""How long a provider may take to answer, unless the settings say otherwise."""
MAX_CALL_SECONDS = 3600.0
"""How long it may be at most: whoever takes a call up must know when it is over for sure."""
CALLS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class CallLimits:
    """How long a call may take, and how many calls there may be at once, in one process."""

    seconds: float = CALL_SECONDS
    at_once: int = CALLS_AT_ONCE


class Provider:
    """Somebody outside: how long they may take, how many may call at once, and whether they answer.

    All of that is of one process: another has slots of its own, and finds out for itself.
    """

    def __init__(self, name: str, limits: CallLimits, random: Random) -> None:
        """It is thought to answer."""
        self.name = name
        self.call_seconds = limits.seconds
        self.slots = Slots(limits.at_once)
        self.deadlines = Deadlines(limits.seconds)
        self.breaker = Breaker(name, random)


class Providers:
    """Whom the steps of each service call."""

    def __init__(self, random: Random, limits: CallLimits | None = None) -> None:
        """`limits` are those of whoever says nothing else."""
        self.limits = limits or CallLimits()
        self._random = random
        self._of_service: dict[str, Provider] = {}

    def __iter__(self) -> Iterator[Provider]:
        """Give those of whom something is known."""
        return iter({it.name: it for it in [*self._of_service.values()]}.values())

    def bind(self, name: str, limits: CallLimits, services: Iterable[str]) -> None:
        """Let the steps of these services call somebody of this name."""
        provider = Provider(name, limits, self._random)
        self._of_service |= dict.fromkeys(services, provider)

    def seconds_of(self, service: str) -> float:
        """Give how long whoever this service calls may take."""
        known = self._of_service.get(service)
        return known.call_seconds if known else self.limits.seconds

    def of(self, service: str) -> Provider:
        """Give whom the steps of this service call; it has one of its own where none is bound."""
        known = self._of_service.get(service)
        if known is None:  # two transactions may ask at once, in threads
            made = Provider(service, self.limits, self._random)
            known = self._of_service.setdefault(service, made)
        return known
