"""A token bucket: renewals are started no faster than the payment provider allows. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

BURST_MS = 1_000
"""The bucket holds what comes in so long, or one token if that is less."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """How many may start now. `free_at` is to be kept; `wait_ms` is for whoever got none."""

    count: int
    free_at: int
    wait_ms: int = 0


def admit(free_at: int, now_ms: int, per_second: float, wanted: int) -> Admitted:
    """Take up to `wanted` tokens from a bucket that was empty at `free_at`.

    In any stretch of time no more start than `per_second` allows, and one bucket more. A bucket is
    never emptied in the future but by a clock that was ahead: then it is empty now.
    """
    bucket_ms = max(BURST_MS, math.ceil(1000 / per_second))
    begin = min(max(free_at, now_ms - bucket_ms), now_ms)
    count = min(wanted, math.floor((now_ms - begin) * per_second / 1000))
    if count <= 0:
        # For half a bucket, so that what starts next is a batch and not one alone.
        worth = max(1, min(wanted, math.floor(bucket_ms * per_second / 2000)))
        return Admitted(
            0, min(free_at, now_ms), begin + math.ceil(worth * 1000 / per_second) - now_ms
        )
    # Rounded up: a fraction of a millisecond given away at each page would add up.
    return Admitted(count, begin + math.ceil(count * 1000 / per_second))
