"""What is known of an attempt to call a provider."""

from __future__ import annotations

from enum import StrEnum


class CallState(StrEnum):
    """One word for each, stored as it is written."""

    INTENDED = "intended"
    UNKNOWN = "unknown"
    ANSWERED = "answered"
    DECLINED = "declined"
    """Answered with a no: nothing was done, and this key will bring no other answer."""
    NOT_APPLIED = "not_applied"
    """It failed and certainly did nothing: the next try, if it asks the same, has the same key."""
    SPENT = "spent"
    """It certainly did nothing, and the key is used up: the next try has another."""


OPEN = frozenset({CallState.INTENDED, CallState.UNKNOWN})
IN_EFFECT = OPEN | {CallState.ANSWERED}
"""The states of a call that has, or may have, taken effect."""
