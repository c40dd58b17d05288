"""How a step can end. A fault is an exception and has no class here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Detail = Mapping[str, Any]
_NOTHING: Detail = {}


@dataclass(frozen=True, slots=True)
class Done:
    """The step's effect is in this transaction."""

    detail: Detail = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Awaiting:
    """Somebody outside must answer; after `seconds` the step's `overdue` decides."""

    what: str
    seconds: float
    detail: Detail = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Again:
    """Take the same step again, after `seconds`."""

    reason: str
    seconds: float = 0.0
    detail: Detail = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Refused:
    """A business no. What was done is undone; never a retry, never a dead letter."""

    reason: str
    detail: Detail = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Park:
    """Stop here and wait for an operator; `trace` is the traceback of what led to it, if any."""

    cause: str
    detail: Detail = field(default_factory=lambda: _NOTHING)
    trace: str = ""


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """An answer that the step does not take, and why, in one word: nothing changes."""

    why: str


Outcome = Done | Awaiting | Again | Refused | Park
