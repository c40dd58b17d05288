"""The breaker: whoever answers nobody is left alone, but for one call now and then.

A call that fails costs its order a try, and a provider that is out would use up those of every
order that comes. So after some calls in a row that failed, of more than one order, the provider is
paused: its orders wait, which costs them nothing, and one at a time tries its call, at growing
rests. The first answer, be it a no, lets all go on.
"""

from __future__ import annotations

import logging
import math
from random import Random

log = logging.getLogger(__name__)

FAILURES_TO_PAUSE = 5
"""How many calls fail in a row, with no answer to anybody in between, until it is paused.

Few, since each of them costs its order a try; and yet more than a network loses in a bad moment.
"""
ORDERS_TO_PAUSE = 2
"""Of how many orders these are at least: one whose own call always fails is to be parked."""
FIRST_REST_SECONDS = 1.0
LAST_REST_SECONDS = 60.0
"""How long it is left alone before it is probed: twice as long each time, up to this."""
PROBES_IN_A_ROW = 3
"""How often one order is the probe before another is.

Some that fail at first work with a later try of the same key; one that never will must not be the
probe for ever.
"""
WAIT_SECONDS_AN_ORDER = 2.0
"""How much longer each waits for every other that does: to come and see costs a transaction."""
LONGEST_WAIT_SECONDS = 300.0
"""How long an order waits at most until it comes to see: as long as any token is held.

The process that hears an answer lets all come at once.
"""


class Breaker:
    """Lets calls of one provider pass while it answers anybody; one a process.

    `now` is always in seconds by the loop's steady clock, and handed in: transactions ask too, in
    threads where no loop runs.
    """

    why = "answers nobody now"
    """Why its orders wait, in their stories."""

    def __init__(self, name: str, random: Random) -> None:
        """`name` says whom it is for, in logs. Nothing is known of them yet."""
        self.name = name
        self.waiting: set[str] = set()
        """The orders that this process has told to wait since the pause began."""
        self._random = random
        self._failures = 0
        self._failed: set[str] = set()
        self._paused_at: float | None = None
        self._rest = FIRST_REST_SECONDS
        self._next_probe = 0.0
        self._probe = ""
        self._last_probe = ""
        self._in_a_row = 0

    @property
    def is_paused(self) -> bool:
        """Whether its orders wait."""
        return self._paused_at is not None

    def holds_back(self, order_id: str, now: float, /) -> bool:
        """Whether a call for this order would be turned away now; changes nothing."""
        if not self.is_paused:
            return False
        if self._probe not in {"", order_id} or now < self._next_probe:
            return True
        # Whoever is to try again may be gone: after one more rest anybody may.
        comes_again = self._tries_again(self._last_probe) and now < self._next_probe + self._rest
        return comes_again and order_id != self._last_probe

    def admits(self, order_id: str, now: float) -> bool:
        """Let a call pass, or not; of a provider that is paused it is the probe."""
        if self.holds_back(order_id, now):
            return False
        if self.is_paused:
            self._probe = order_id
        return True

    def ended(self, order_id: str) -> None:
        """A call that was let pass is over, whatever came of it: another may be the probe."""
        if self._probe == order_id:
            self._probe = ""

    def answered(self, now: float) -> None:
        """Somebody was answered: all go on."""
        self._failures = 0
        self._failed.clear()
        if self._paused_at is not None:
            seconds = now - self._paused_at
            facts = {"event": "back", "dependency": self.name, "seconds": seconds}
            said = "%s answers again, after %.0f s: all go on"
            log.warning(said, self.name, seconds, extra=facts)
            self._paused_at = None
            self._probe = self._last_probe = ""
            self._in_a_row = 0
            self._rest = FIRST_REST_SECONDS
            self.waiting.clear()

    def failed(self, order_id: str, why: Exception, now: float) -> None:
        """A call gave no answer."""
        if self.is_paused:
            self._probe_failed(order_id, why, now)
            return
        self._failures += 1
        self._failed.add(order_id)
        if self._failures >= FAILURES_TO_PAUSE and len(self._failed) >= ORDERS_TO_PAUSE:
            # What it says may hold what was asked: the order's story has it without that.
            kind, said = type(why).__name__, "%s is paused: %d calls in a row had no answer, %s"
            last = f"the last, of order {order_id}, with {kind}"
            facts = {"event": "away", "dependency": self.name, "cause": kind, "order": order_id}
            log.error(said, self.name, self._failures, last, extra=facts)
            self._paused_at = now
            self._let_rest(now)

    def wait_seconds(self, order_id: str, now: float, /) -> float:
        """Say for how long an order is to wait until it comes to see.

        The more wait, the longer. Who was the probe some times lets one of the others be the next:
        it may be to blame itself. They come in groups, and so share a transaction.
        """
        until_probe = max(self._next_probe - now, 0.0)
        if self._tries_again(order_id):
            return until_probe
        if order_id == self._last_probe:
            until_probe += self._rest
        spread = max(self._rest, len(self.waiting) * WAIT_SECONDS_AN_ORDER)
        comes_at = now + until_probe + self._random.uniform(0, spread)
        with_others = math.ceil(comes_at / self._rest * 2) * self._rest / 2
        return min(with_others - now, LONGEST_WAIT_SECONDS)

    def _probe_failed(self, order_id: str, why: Exception, now: float) -> None:
        if order_id != self._probe:
            return  # it was under way before the pause
        log.debug("%s gives no answer yet: %s", self.name, type(why).__name__)
        self._in_a_row = self._in_a_row + 1 if order_id == self._last_probe else 1
        self._last_probe = order_id
        self._rest = min(LAST_REST_SECONDS, self._rest * 2)
        self._let_rest(now)

    def _tries_again(self, order_id: str) -> bool:
        return 0 < self._in_a_row < PROBES_IN_A_ROW and order_id == self._last_probe

    def _let_rest(self, now: float) -> None:
        self._next_probe = now + self._random.uniform(self._rest / 2, self._rest)
