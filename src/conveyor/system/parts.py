"""What a system is put together from: a test hands in its own of any of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from conveyor.core.ambient import Ambient
from conveyor.core.queue import Queues
from conveyor.core.tracing import Tracer
from conveyor.core.transaction import Database, Replica
from conveyor.extension.ports import Port
from conveyor.system.timekeeper import Timekeeper


@dataclass(frozen=True, slots=True)
class Parts:
    """What is handed in: a test hands in its own of any of these."""

    ambient: Ambient
    database: Database
    queues: Queues
    timekeeper: Timekeeper | None = None
    """What keeps the clock right; None: the clock that was handed in needs nobody."""
    ports: Mapping[Port[Any], Any] = field(default_factory=dict)
    """Those outside who are open already; all others are opened as the settings say."""
    is_named: bool = False
    """Whether the settings name this database: then other processes can open it too."""
    replica: Replica | None = None
    """Where what may be somewhat older is read; None: where it is written."""

    tracer: Tracer | None = None
    """Who takes what is told of orders as traces; None: nothing is."""

    @property
    def reading(self) -> Database | Replica:
        """Give where lists, stories and reports are read."""
        return self.replica or self.database
