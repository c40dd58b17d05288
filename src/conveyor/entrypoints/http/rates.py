"""How much one key, and one address, may ask for: whoever asks for more is told when to come again.

Each process counts for itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from conveyor.core.ambient import Ambient
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.problems import ProblemError
from conveyor.settings import Settings

MAX_KEPT = 10_000
"""Keys or addresses that are remembered: whoever has many of them shall not fill the memory."""
STREAM_RETRY_SECONDS = 5

Elapsed = Callable[[], int]
"""Milliseconds since whenever."""


class Rate:
    """So many a second for each, and as many at once as come in `burst_seconds`."""

    def __init__(self, a_second: float, burst_seconds: float, elapsed_ms: Elapsed) -> None:
        """Nobody has taken anything."""
        self._a_second = a_second
        self._burst_ms = burst_seconds * 1000
        self._elapsed_ms = elapsed_ms
        self._paid_until: dict[str, float] = {}  # when what was taken will have been earned again

    def wait_seconds(self, who: str) -> float:
        """Give when somebody may take one more; 0: now."""
        ahead = self._paid_until.get(who, 0.0) - self._elapsed_ms()
        return max(0.0, (ahead + 1000 / self._a_second - self._burst_ms) / 1000)

    def take(self, who: str) -> None:
        """Take one."""
        now = self._elapsed_ms()
        if len(self._paid_until) >= MAX_KEPT:
            self._paid_until = {w: until for w, until in self._paid_until.items() if until > now}
        if len(self._paid_until) >= MAX_KEPT:
            self._paid_until.clear()
        self._paid_until[who] = max(now, self._paid_until.get(who, 0.0)) + 1000 / self._a_second


class Rates:
    """What a process allows."""

    def __init__(self, settings: Settings, ambient: Ambient) -> None:
        """Nobody has asked for anything."""
        a_second = settings.failed_keys_a_minute / 60
        self._failed = Rate(a_second, 60.0, ambient.elapsed_ms)
        self._requests = Rate(settings.requests_a_second, 1.0, ambient.elapsed_ms)
        self._max_streams = settings.streams
        self._streams: Counter[str] = Counter()

    def tried_too_often(self, address: str) -> ProblemError | None:
        """Say that too many keys have failed, where it is so."""
        wait = self._failed.wait_seconds(address)
        return _later("Too many API keys from this address have failed.", wait) if wait else None

    def failed(self, address: str) -> None:
        """Count a key that opens nothing, or none at all."""
        self._failed.take(address)

    def request(self, key_id: str) -> None:
        """Count a request. Raises `ProblemError` where there are too many."""
        if wait := self._requests.wait_seconds(key_id):
            raise _later("There are too many requests with this API key.", wait)
        self._requests.take(key_id)

    def may_stream(self, key_id: str) -> None:
        """Raise `ProblemError` where a key has as many streams as it may."""
        if self._streams[key_id] >= self._max_streams:
            raise _later("There are too many streams with this API key.", STREAM_RETRY_SECONDS)

    @contextmanager
    def streaming(self, key_id: str) -> Iterator[None]:
        """Count a stream while it lasts."""
        self._streams[key_id] += 1
        try:
            yield
        finally:
            self._streams[key_id] -= 1
            if not self._streams[key_id]:
                del self._streams[key_id]


def _later(detail: str, seconds: float) -> ProblemError:
    headers = {"retry-after": str(math.ceil(seconds))}
    return ProblemError(Code.RATE_LIMITED, detail, headers=headers)
