"""Clock, random numbers and ids: handed in everywhere, so that a test can run on virtual time."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

ULID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ULID_RANDOM_BITS = 80
ULID_LENGTH = 26


class Clock(Protocol):
    """Wall-clock time. Durations are slept with `asyncio.sleep` on the running loop."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Ambient:
    """What a process otherwise reaches for: the time and chance."""

    clock: Clock
    random: random.Random

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        return self.clock.now_ms()

    def new_id(self) -> str:
        """Give a ULID: 26 characters that sort by creation time (github.com/ulid/spec)."""
        value = (self.clock.now_ms() << ULID_RANDOM_BITS) | self.random.getrandbits(
            ULID_RANDOM_BITS
        )
        return "".join(
            ULID_ALPHABET[(value >> shift) & 31] for shift in range((ULID_LENGTH - 1) * 5, -1, -5)
        )
