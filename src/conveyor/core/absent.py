"""A provider that orders have called, and that is bound no more: they wait until it is again.

No other may stand for it: a reference of its means nothing there, and what became of a call would
be asked in the wrong place.
"""

from __future__ import annotations

import logging
from random import Random

from conveyor.core.breaker import LONGEST_WAIT_SECONDS, WAIT_SECONDS_AN_ORDER, Breaker

log = logging.getLogger(__name__)

ABSENT_SECONDS = 60.0
"""How long an order waits at most, while few do: binding it means to start anew."""


class Absent(Breaker):
    """Lets no call pass."""

    why = "is not bound any more"

    def __init__(self, name: str, random: Random) -> None:
        """`name` says whom it is for, in logs."""
        super().__init__(name, random)
        log.error("%s is not bound any more, and orders have called it: they wait", name)

    @property
    def is_paused(self) -> bool:
        """See `Breaker`."""
        return True

    def holds_back(self, _order_id: str, _now: float, /) -> bool:
        """See `Breaker`."""
        return True

    def wait_seconds(self, _order_id: str, _now: float, /) -> float:
        """See `Breaker`; the more wait, the longer."""
        most = max(ABSENT_SECONDS, len(self.waiting) * WAIT_SECONDS_AN_ORDER)
        return self._random.uniform(0.5, 1.0) * min(most, LONGEST_WAIT_SECONDS)
