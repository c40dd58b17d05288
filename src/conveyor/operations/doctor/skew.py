"""How far two clocks are apart, as well as that can be seen from here."""

from __future__ import annotations

from conveyor.operations.doctor.findings import Finding, fine, warning

CHECK = "clock"
NOTICED_SECONDS = 5.0
"""Less is what clocks that are kept by NTP are apart in bad moments."""


def judged(whose: str, skew_seconds: float, bound_seconds: float, todo: str) -> Finding:
    """Judge how far another clock is ahead of ours, give or take the bound."""
    says = f"it is {skew_seconds:+.3f} s from ours, to within {bound_seconds:.3f} s"
    if abs(skew_seconds) - bound_seconds > NOTICED_SECONDS:
        return warning(CHECK, whose, says, todo)
    return fine(CHECK, whose, says)
