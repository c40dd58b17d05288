"""What every moving part of one process shares."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from conveyor.core.ambient import Ambient
from conveyor.core.gate import Gate
from conveyor.core.group_context import GroupContext
from conveyor.core.measures import Measures
from conveyor.core.pauses import Pauses
from conveyor.core.providers import Providers
from conveyor.core.queue import Queues
from conveyor.core.registry import Registry
from conveyor.core.relay import Relay
from conveyor.core.retries import RetryPolicy
from conveyor.core.step import Now
from conveyor.core.supervision import Supervisor
from conveyor.core.traces import Traces
from conveyor.core.transaction import Database

RIDES_SHARE = 0.75
CROWD_SHARE = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is under way at once, in one process and for one queue."""

    group_size: int = 200
    in_flight: int = 1_000
    lanes: int = 1  # groups in a transaction at the same time; more than 1 pays on PostgreSQL
    pollers: int = 4
    linger_seconds: float = 0.0  # how long a group that is not full waits to be fuller
    grace_seconds: float = 25.0
    rides: int = 750
    """Tokens of one queue that go on in this process without a message; 0: none does."""

    @property
    def most_rides(self) -> int:
        """How many may ride at a time: messages find room in what is left of `in_flight`."""
        return min(self.rides, int(self.in_flight * RIDES_SHARE))

    @property
    def crowd(self) -> int:
        """Fewer tokens are not kept waiting for company: at each step, to save next to nothing."""
        return max(2, self.group_size // CROWD_SHARE)

    @property
    def soon(self) -> int:
        """How many tokens are soon got through: as many as two groups are."""
        return 2 * self.group_size


@dataclass(frozen=True, slots=True)
class Engine:
    """Database, queues, registry and policies, handed to consumers, API and reconciler."""

    database: Database
    queues: Queues
    registry: Registry
    ambient: Ambient
    relay: Relay
    retries: RetryPolicy
    limits: Limits
    providers: Providers
    tally: Counter[tuple[str, str]] = field(default_factory=Counter)
    """What happened, counted by (what, queue): shown at /metrics."""
    in_hand: dict[str, Callable[[], int]] = field(default_factory=dict)
    """Tells, for each queue that this process serves, how many tokens it has in its hands."""
    gate: Gate = field(init=False)
    measures: Measures = field(init=False)
    pauses: Pauses = field(init=False)
    supervisor: Supervisor = field(init=False)

    def __post_init__(self) -> None:
        """Make what this process has one of; the engine is frozen for everybody else."""
        object.__setattr__(self, "gate", self.relay.gate)
        object.__setattr__(self, "measures", self.relay.measures)
        object.__setattr__(self, "pauses", Pauses(self.database))
        object.__setattr__(self, "supervisor", Supervisor(self.ambient.random))

    @property
    def traces(self) -> Traces | None:
        """What tells of orders as traces; None: nobody asked for them."""
        return self.measures.traces

    @property
    def is_behind(self) -> bool:
        """Whether a service of this process has more in its hands than it soon gets through."""
        return any(count() > self.limits.soon for count in self.in_hand.values())

    def group_context(self, *, isolate: bool) -> GroupContext:
        """Give what a group's transaction needs, at this moment."""
        return GroupContext(
            self.registry,
            self.retries,
            self.ambient.random,
            self.now(),
            isolate=isolate,
            providers=self.providers,
            begun=asyncio.get_running_loop().time(),
        )

    def now(self) -> Now:
        """Read the clock for one group."""
        return Now(self.ambient.now_ms())
