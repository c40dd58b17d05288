"""What a group's transaction needs, for tests that are one."""

from __future__ import annotations

import random

from conveyor.core.group_context import GroupContext
from conveyor.core.providers import Providers
from conveyor.core.registry import Registry
from conveyor.core.retries import RetryPolicy
from conveyor.core.step import Now


def context_of(registry: Registry, now: Now) -> GroupContext:
    """Give it, as a process that has just begun would."""
    rng = random.Random(1)
    return GroupContext(registry, RetryPolicy(), rng, now, isolate=False, providers=Providers(rng))
