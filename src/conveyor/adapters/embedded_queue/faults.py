"""What can go wrong with messages on their way: they come late, or twice."""

from __future__ import annotations

from collections.abc import Sequence

from conveyor.adapters.embedded_queue.store import NewMessage
from conveyor.adapters.faults import Fault

LATE_SECONDS = 3.0
COPY = "/copy"
"""How a copy's deduplication id ends: a FIFO queue would drop it otherwise."""

Sent = tuple[NewMessage, str]
"""A message, and its deduplication id."""


class QueueFaults:
    """The faults of all queues of one file; their dead letters are spared."""

    def __init__(self) -> None:
        """None is on."""
        self.late = Fault(
            "queues-late",
            "Messages are late",
            does=f"Each message is seen {LATE_SECONDS:g} seconds after it was sent.",
            watch="Orders wait before each step. None is lost.",
        )
        self.doubled = Fault(
            "queues-doubled",
            "Messages come twice",
            does="Each message is followed by a copy of it.",
            watch="Orders go on as ever: each copy is dropped, as their stories tell, and nothing "
            "is done twice.",
        )

    @property
    def any(self) -> bool:
        """Whether one is on."""
        return self.late.is_on or self.doubled.is_on

    def strike(self, messages: Sequence[Sent]) -> list[Sent]:
        """Give what becomes of these messages when they are sent."""
        sent = list(messages)
        if self.late.strikes(len(sent)):
            sent = [(_later(row), known_by) for row, known_by in sent]
        if self.doubled.strikes(len(sent)):
            sent = [it for row, by in sent for it in ((row, by), (row, by + COPY))]
        return sent


def _later(row: NewMessage) -> NewMessage:
    return row._replace(visible_at_ms=row.visible_at_ms + round(LATE_SECONDS * 1000))
