"""What the transactions of one group share."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from conveyor.core.provider_call import Grant
from conveyor.core.providers import Provider, Providers
from conveyor.core.registry import Registry
from conveyor.core.retries import RetryPolicy
from conveyor.core.step import Now


@dataclass(frozen=True, slots=True)
class GroupContext:
    """What a group's transaction needs beside the transaction itself.

    With `isolate`, each order stands behind a savepoint of its own. It began at `begun` by the
    loop's steady clock, and so did the grants of the calls that begin in it.
    """

    registry: Registry
    retries: RetryPolicy
    random: Random
    now: Now
    isolate: bool
    providers: Providers
    begun: float = 0.0

    def grant(self, provider: Provider) -> Grant:
        """Give leave to call, for as long as this provider may take."""
        return Grant(provider.call_seconds, self.begun, self.now.ms)
