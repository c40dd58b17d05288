"""An order's whole story: what happened, what it waits for and until when, and what can be done."""

from __future__ import annotations

from conveyor.app.explain.prose import sentences
from conveyor.app.explain.reading import explain
from conveyor.app.explain.story import Choice, Event, Line, Stop, Story, Wait

__all__ = ["Choice", "Event", "Line", "Stop", "Story", "Wait", "explain", "sentences"]
