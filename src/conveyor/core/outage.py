"""An outage: somebody whom this process depends on is away.

It is told once when it begins, and once when it is over. What all the loops of the process run into
meanwhile is told at level DEBUG.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

from conveyor.core.errors import UNABLE, QueueUnavailableError, ReplicaUnableError
from conveyor.core.personal import without_values

log = logging.getLogger(__name__)

DATABASE = "the database"
QUEUES = "the queue service"
EXPECTED = (*UNABLE, QueueUnavailableError)
"""What is raised while the database or the queue service is away: its traceback says no more."""


def tell(log: logging.Logger, error: BaseException, words: str, *args: object) -> None:
    """Tell of what failed and is tried again, with its traceback, unless an outage is to blame."""
    if isinstance(error, ReplicaUnableError):  # of which nobody tells that it is back
        log.error("%s: %s", words % args, error)
        return
    expected = isinstance(error, EXPECTED)
    log.log(logging.DEBUG if expected else logging.ERROR, words, *args, exc_info=error)


class Surviving:
    """A `with` block after which things go on: what it raises is told, and goes no further.

    A process that is to end (Ctrl-C, a cancelled task) is not held up. `error` is what was raised.
    """

    def __init__(self, told: Callable[[Exception], None]) -> None:
        """`told` is given what the block raises."""
        self._told = told
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        """Tell, if it is an error; gives whether it goes no further."""
        if not isinstance(error, Exception):
            return False
        self.error = error
        self._told(error)
        return True


def surviving(log: logging.Logger, words: str, *args: object) -> Surviving:
    """Go on after the block; what it raises is told in these words, see `tell`."""
    return Surviving(lambda error: tell(log, error, words, *args))


class Outage:
    """Whether one of those whom a process depends on is away."""

    def __init__(self, what: str, then: str) -> None:
        """It is there. `then` says what comes of its being away."""
        self._what = what
        self._then = then
        self._began: float | None = None

    @property
    def began(self) -> float | None:
        """Since when it is away, by the loop's steady clock; None: it is there."""
        return self._began

    def begin(self, why: BaseException) -> None:
        """Somebody found it away; only the first who does is told."""
        said = without_values(f"{type(why).__name__}: {why}")
        if self._began is not None:
            log.debug("%s is still away: %s", self._what, said)
            return
        self._began = asyncio.get_running_loop().time()
        facts = {"event": "away", "dependency": self._what, "cause": said}
        log.error("%s is away: %s; %s", self._what, said, self._then, extra=facts)

    def end(self) -> None:
        """Somebody found that it is there again."""
        if self._began is None:
            return
        seconds = asyncio.get_running_loop().time() - self._began
        self._began = None
        facts = {"event": "back", "dependency": self._what, "seconds": seconds}
        log.warning("%s is back, after %.1f s", self._what, seconds, extra=facts)


class QueueOutage:
    """Whether the queue service is away: from the first request that fails on.

    It is back once all that failed has worked again: one queue may be gone, and the others there.
    """

    def __init__(self) -> None:
        """It is there."""
        self._outage = Outage(QUEUES, "what is owed waits in the outbox")
        self._failing: set[tuple[str, str]] = set()

    def failed(self, queue: str, request: str, why: Exception) -> None:
        """A request was not answered, or not as it should be."""
        self._failing.add((queue, request))
        self._outage.begin(why)

    def worked(self, queue: str, request: str) -> None:
        """A request was answered."""
        if not self._failing:
            return
        self._failing.discard((queue, request))
        if not self._failing:
            self._outage.end()
