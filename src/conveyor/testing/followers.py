"""Those who follow the orders of a simulated system live, and must miss nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Rows = Callable[..., Sequence[tuple[int, str, str]]]

WINDOW = 200
"""How many entries back one that is seen late is looked for: so many are written at a time."""
_NEW = "SELECT id, order_id, event FROM timeline WHERE id > ? ORDER BY id"


class Followers:
    """After each commit they ask for what is new of each order, after what they saw last."""

    def __init__(self, rows: Rows) -> None:
        """`rows` looks at the database from outside."""
        self._rows = rows
        self._seen: set[int] = set()
        self._last: dict[str, int] = {}
        self._newest = 0
        self.missed: list[str] = []
        """What came too late for whoever had seen what was numbered after it."""

    def look(self) -> None:
        """Read what is new."""
        for number, order_id, event in self._rows(_NEW, self._newest - WINDOW):
            if number in self._seen:
                continue
            if number < self._last.get(order_id, 0):
                self.missed.append(f"{order_id}: {event}")
            self._seen.add(number)
            self._last[order_id] = max(number, self._last.get(order_id, 0))
            self._newest = max(number, self._newest)
