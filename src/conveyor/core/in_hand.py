"""A token in our hands: a message brought it, or it rides (see decision 24)."""

from __future__ import annotations

from dataclasses import dataclass

from conveyor.core.message import Token
from conveyor.core.queue import Received
from conveyor.core.tracing import SpanContext


@dataclass(frozen=True, slots=True)
class InHand:
    """A token that this process has taken, to be let go of by its `receipt`.

    `message` is what brought it; None: it rides. It was taken at `since` by the loop's clock, at
    `taken_at` in milliseconds since the epoch. `span` is its place in a trace, where it has one.
    """

    token: Token
    receipt: str
    message: Received | None = None
    since: float = 0.0
    taken_at: int = 0
    span: SpanContext | None = None

    @property
    def receives(self) -> int:
        """How often its message has been received, this time too; 0 where there is none."""
        return self.message.receive_count if self.message else 0
