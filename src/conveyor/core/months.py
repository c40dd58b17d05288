"""Months of orders: an order's id begins with the time at which it was placed, in UTC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from conveyor.core.ambient import first_id_at, time_of_id


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of the calendar."""

    year: int
    number: int

    @classmethod
    def at(cls, at_ms: int) -> Month:
        """Give the month of this moment."""
        when = datetime.fromtimestamp(at_ms / 1000, UTC)
        return cls(when.year, when.month)

    @classmethod
    def named(cls, name: str) -> Month:
        """Read `2026-07`. Raises `ValueError`."""
        when = datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC)
        return cls(when.year, when.month)

    @property
    def name(self) -> str:
        """Give `2026-07`."""
        return f"{self.year:04}-{self.number:02}"

    @property
    def next(self) -> Month:
        """Give the one that follows."""
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    @property
    def begins_ms(self) -> int:
        """Give its first millisecond since the epoch."""
        return round(datetime(self.year, self.number, 1, tzinfo=UTC).timestamp() * 1000)

    @property
    def first_id(self) -> str:
        """Give what no id that is made in it, or later, sorts before."""
        return first_id_at(self.begins_ms)

    @property
    def until_id(self) -> str:
        """Give what all ids that are made in it sort before."""
        return self.next.first_id


def months_from(month: Month, count: int) -> Iterator[Month]:
    """Give so many, this one first."""
    for _ in range(count):
        yield month
        month = month.next


def month_of_id(order_id: str) -> Month | None:
    """Give the month in which an id was made; None: it is not one of ours."""
    at_ms = time_of_id(order_id)
    return None if at_ms is None else Month.at(at_ms)
