"""Those outside whom steps call, as the calls of one process see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any

from conveyor.core.breaker import Breaker
from conveyor.core.deadlines import Deadlines
from conveyor.core.slots import Slots
from conveyor.core.step import CallStep

CALL_SECONDS = 30.0
"""How long a provider may take to answer, unless the settings say otherwise."""
MAX_CALL_SECONDS = 3600.0
"""How long it may be at most: whoever takes a call up must know when it is over for sure."""
CALLS_AT_ONCE = 200
Steps = Mapping[str, CallStep[Any, Any]]
NO_STEPS: Steps = MappingProxyType({})
EVERYBODY = ""
"""Stands for all merchants that have no provider of their own."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """How long a call may take, and how many calls there may be at once, in one process."""

    seconds: float = CALL_SECONDS
    at_once: int = CALLS_AT_ONCE


class Provider:
    """Somebody outside: how long they may take, how many may call at once, and whether they answer.

    All of that is of one process: another has slots of its own, and finds out for itself.
    """

    def __init__(
        self, name: str, limits: CallLimits, random: Random, steps: Steps = NO_STEPS
    ) -> None:
        """It is thought to answer. `steps` are those that call it, where others call others."""
        self.name = name
        self.steps = steps
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
        self._of: dict[tuple[str, str], Provider] = {}

    def __iter__(self) -> Iterator[Provider]:
        """Give those of whom something is known."""
        return iter({it.name: it for it in [*self._of.values()]}.values())

    def bind(
        self,
        name: str,
        limits: CallLimits,
        services: Iterable[str],
        merchants: Iterable[str] = (EVERYBODY,),
        steps: Steps = NO_STEPS,
    ) -> None:
        """Let these services call somebody of this name for the orders of these merchants."""
        provider = Provider(name, limits, self._random, steps)
        whose = list(merchants)
        self._of |= {(service, merchant): provider for service in services for merchant in whose}

    def seconds_of(self, service: str) -> float:
        """Give how long whoever this service calls may take at most."""
        known = [it.call_seconds for (of, _), it in self._of.items() if of == service]
        return max(known, default=self.limits.seconds)

    def of(self, service: str, merchant: str = EVERYBODY) -> Provider:
        """Give whom the steps of this service call for a merchant's orders.

        A service has one of its own where none is bound.
        """
        known = self._of.get((service, merchant)) or self._of.get((service, EVERYBODY))
        if known is None:  # two transactions may ask at once, in threads
            made = Provider(service, self.limits, self._random)
            known = self._of.setdefault((service, EVERYBODY), made)
        return known
