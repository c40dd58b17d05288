"""Clock, random numbers and ids: handed in everywhere, so that a test can run on virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

CLOCK_SLACK_MS = 60_000
"""Clocks that are right do not differ by so much, nor is a moment's work so late."""
ULID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ULID_RANDOM_BITS = 80
ULID_LENGTH = 26
ULID_LAST_MS = 2**48 - 1


class Clock(Protocol):
    """Wall-clock time. Durations are slept with `asyncio.sleep` on the running loop."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Ambient:
    """What a process otherwise reaches for: the time and chance.

    `elapsed` gives seconds since whenever, of a source that never steps; None: the clock never
    does. What is kept in this process alone, and for long, is counted by it.
    """

    clock: Clock
    random: random.Random
    elapsed: Callable[[], float] | None = None

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        return self.clock.now_ms()

    def elapsed_ms(self) -> int:
        """Milliseconds since whenever, which only ever rise, and as fast as time passes."""
        return self.clock.now_ms() if self.elapsed is None else round(self.elapsed() * 1000)

    def new_id(self) -> str:
        """Give a ULID: 26 characters that sort by creation time (github.com/ulid/spec)."""
        return _ulid(self.clock.now_ms(), self.random.getrandbits(ULID_RANDOM_BITS))


def first_id_at(at_ms: int) -> str:
    """Give what no id that was made at that time, or later, sorts before."""
    return _ulid(min(max(at_ms, 0), ULID_LAST_MS), 0)


def time_of_id(order_id: str) -> int | None:
    """Give the millisecond at which an id was made; None: it is no ULID."""
    if len(order_id) != ULID_LENGTH or not set(order_id) <= set(ULID_ALPHABET):
        return None
    value = 0
    for character in order_id:
        value = value << 5 | ULID_ALPHABET.index(character)
    at_ms = value >> ULID_RANDOM_BITS
    return at_ms if at_ms <= ULID_LAST_MS else None


def _ulid(at_ms: int, randomness: int) -> str:
    value = (at_ms << ULID_RANDOM_BITS) | randomness
    shifts = range((ULID_LENGTH - 1) * 5, -1, -5)
    return "".join(ULID_ALPHABET[(value >> shift) & 31] for shift in shifts)
