"""What every moving part of one process shares."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from conveyor.core.ambient import Ambient
from conveyor.core.gate import Gate
from conveyor.core.group_context import GroupContext
from conveyor.core.providers import Providers
from conveyor.core.queue import LONG_POLL_SECONDS, Queues
from conveyor.core.registry import Registry
from conveyor.core.relay import Relay
from conveyor.core.retries import RetryPolicy
from conveyor.core.step import Now
from conveyor.core.supervision import Supervisor
from conveyor.core.transaction import Database

LEAST_POLL_SECONDS = 1.0
RIDES_SHARE = 0.75
LAST_SECONDS = 2.0
"""What a stop needs after the last poll has ended, to give back what that has brought."""


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
    def poll_seconds(self) -> float:
        """How long a poll may wait for a message: so that a stop can wait for it.

        SQS ends none early, and hands messages to one that was broken off for as long as it would
        have lasted: nobody gets them then, until their visibility timeout ends.
        """
        return max(LEAST_POLL_SECONDS, min(LONG_POLL_SECONDS, self.grace_seconds - LAST_SECONDS))

    @property
    def stop_seconds(self) -> float:
        """How long a stop waits for polls and handlers, before it leaves them to themselves."""
        return max(self.grace_seconds, LEAST_POLL_SECONDS + LAST_SECONDS)


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
    gate: Gate = field(init=False)
    supervisor: Supervisor = field(init=False)

    def __post_init__(self) -> None:
        """Make what this process has one of; the engine is frozen for everybody else."""
        object.__setattr__(self, "gate", Gate(self.database, self.ambient.random))
        object.__setattr__(self, "supervisor", Supervisor(self.ambient.random))

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
