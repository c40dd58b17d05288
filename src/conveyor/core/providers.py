"""Those outside whom steps call, as the calls of one process see them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any

from conveyor.core.absent import Absent
from conveyor.core.bound import Bound, full_name
from conveyor.core.breaker import Breaker
from conveyor.core.deadlines import Deadlines
from conveyor.core.slots import Slots
from conveyor.core.step import CallStep

CALL_SECONDS = 30.0
"""How long a provider may take to answer, unless the settings say otherwise."""
CALLS_AT_ONCE = 200
Steps = Mapping[str, CallStep[Any, Any]]
NO_STEPS: Steps = MappingProxyType({})


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
        self,
        name: str,
        limits: CallLimits,
        breaker: Breaker,
        steps: Steps = NO_STEPS,
        bound_as: str = "",
    ) -> None:
        """It is thought to answer. `steps` are those that call it, where others call others.

        `bound_as` is what orders that have called it keep, to call it again; '': they need not.
        """
        self.name = name
        self.steps = steps
        self.bound_as = bound_as
        self.call_seconds = limits.seconds
        self.slots = Slots(limits.at_once)
        self.deadlines = Deadlines(limits.seconds)
        self.breaker = breaker


@dataclass(frozen=True, slots=True)
class Called:
    """Whom the steps of some services call: `port` says as what they do."""

    port: str
    services: Collection[str]
    bound: Bound[Provider]


class Providers:
    """Whom the steps of each service call."""

    def __init__(self, random: Random, limits: CallLimits | None = None) -> None:
        """`limits` are those of whoever says nothing else."""
        self.limits = limits or CallLimits()
        self._random = random
        self._of: dict[str, Called] = {}
        self._absent: dict[str, Provider] = {}

    def __iter__(self) -> Iterator[Provider]:
        """Give those of whom something is known."""
        bound = [it for called in [*self._of.values()] for it in called.bound.by_name.values()]
        return iter({it.name: it for it in [*bound, *self._absent.values()]}.values())

    def make(
        self, name: str, limits: CallLimits, steps: Steps = NO_STEPS, bound_as: str = ""
    ) -> Provider:
        """Make one to be bound."""
        return Provider(name, limits, Breaker(name, self._random), steps, bound_as)

    def bind(self, called: Called) -> None:
        """Let the services call those."""
        self._of |= dict.fromkeys(called.services, called)

    def seconds_of(self, service: str) -> float:
        """Give how long whoever this service calls may take at most."""
        return max(it.call_seconds for it in self.called_by(service).bound.by_name.values())

    def called_by(self, service: str) -> Called:
        """Give whom the steps of this service call: one of its own where none is bound."""
        known = self._of.get(service)
        if known is None:  # two transactions may ask at once, in threads
            its_own = Bound("", {"": self.make(service, self.limits)})
            known = self._of.setdefault(service, Called(service, (service,), its_own))
        return known

    def of(self, service: str, merchant: str = "", called: str = "") -> Provider:
        """Give whom a step of this service calls for a merchant's order, which `called` one before.

        Nobody answers for one who is not bound any more.
        """
        theirs = self.called_by(service)
        if found := theirs.bound.get(merchant, called):
            return found
        name = full_name(theirs.port, called)
        if name not in self._absent:
            it = Provider(name, self.limits, Absent(name, self._random), bound_as=called)
            self._absent.setdefault(name, it)
        return self._absent[name]
