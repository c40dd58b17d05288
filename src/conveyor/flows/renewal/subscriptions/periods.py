"""Billing periods: calendar months, counted from one anchor, in the subscriber's time zone. Pure.

Every boundary is counted from the anchor and not from the boundary before it, so that the 31st
comes back after a shorter month: January 31, February 28, March 31.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

MONTHS_A_YEAR = 12


@dataclass(frozen=True, slots=True)
class Calendar:
    """`anchor` is a wall-clock time, without a zone of its own: the first period begins there."""

    anchor: datetime
    zone: str

    def boundary(self, months: int) -> datetime:
        """Give the wall-clock time so many months after the anchor.

        A month without the anchor's day ends on its last day instead.
        """
        year, month = divmod(self.anchor.year * MONTHS_A_YEAR + self.anchor.month - 1 + months, 12)
        day = min(self.anchor.day, monthrange(year, month + 1)[1])
        return self.anchor.replace(year=year, month=month + 1, day=day)

    def boundary_ms(self, months: int) -> int:
        """Give the same moment in milliseconds since the epoch.

        A time that the clocks skip is that much later, one that they repeat is the first of the
        two (PEP 495).
        """
        return moment(self.boundary(months), self.zone)

    def months_until(self, until: datetime, step: int) -> int | None:
        """Give the months from the anchor to a boundary on that day, in steps; None: there is none.

        `until` is not before the anchor.
        """
        years, months = until.year - self.anchor.year, until.month - self.anchor.month
        between = years * MONTHS_A_YEAR + months
        on_that_day = self.boundary(between).date() == until.date()
        return between if on_that_day and between % step == 0 else None


def moment(local: datetime, zone: str) -> int:
    """Give a wall-clock time in milliseconds since the epoch."""
    return round(local.replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def wall_clock(at_ms: int, zone: str) -> datetime:
    """Give the time that clocks in that zone show, to the second."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
