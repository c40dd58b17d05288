"""What the transactions of one group share."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from conveyor.core.calling import Grant
from conveyor.core.registry import Registry
from conveyor.core.retries import RetryPolicy
from conveyor.core.step import Now


@dataclass(frozen=True, slots=True)
class GroupContext:
    """What a group's transaction needs beside the transaction itself.

    With `isolate`, each order stands behind a savepoint of its own. `grant` is for the calls that
    begin in it.
    """

    registry: Registry
    retries: RetryPolicy
    random: Random
    now: Now
    isolate: bool
    grant: Grant = field(default_factory=Grant)
