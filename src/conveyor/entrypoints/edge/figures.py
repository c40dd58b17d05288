"""What the edge has done, for the metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Figures:
    """Connections that are open, and what was sent away, by the code of the answer."""

    connections: int = 0
    refused: Counter[str] = field(default_factory=Counter)
