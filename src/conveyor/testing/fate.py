"""What becomes of a request to the outside."""

from __future__ import annotations

from dataclasses import dataclass

FORWARD = frozenset({"authorize", "capture", "charge", "dispatch"})


HOW = {
    "ok": "is answered",
    "slow": "is answered late",
    "declined": "is declined",
    "declined_silently": "is declined, and not answered",
    "unavailable": "fails for certain",
    "saved_error": "fails for certain, and its key keeps the error",
    "unanswered": "is applied and not answered",
    "lost": "is lost and not answered",
    "late": "is not answered, and applied afterwards",
    "hangs": "is applied and hangs",
}
SILENT = frozenset({"unanswered", "lost", "late", "hangs", "declined_silently"})


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a request: see `HOW`; `seconds` is how long it takes, or is silent."""

    how: str = "ok"
    seconds: float = 0.0

    @property
    def is_no(self) -> bool:
        """Whether it is declined."""
        return self.how.startswith("declined")
