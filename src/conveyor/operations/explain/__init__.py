"""An order's whole story: what happened, what it waits for and until when, and what can be done."""

from __future__ import annotations

from conveyor.operations.explain.prose import sentences
from conveyor.operations.explain.reading import explain
from conveyor.operations.explain.story import Choice, Event, Stop, Story, Wait

__all__ = ["Choice", "Event", "Stop", "Story", "Wait", "explain", "sentences"]
