"""What a check found: how much it looked at, and what breaks it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

MAX_EXAMPLES = 5
"""Violations that a finding names; all are counted."""


@dataclass(slots=True)
class Finding:
    """One check. `invariant` is its number in the design; `examples` name orders, or SKUs."""

    name: str
    invariant: int
    says: str
    examined: int = 0
    violations: int = 0
    examples: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def add(self, examined: int, violations: int, examples: Iterable[str] = ()) -> None:
        """Count in what was seen of one part of the data."""
        self.examined += examined
        self.violations += violations
        room = MAX_EXAMPLES - len(self.examples)
        self.examples += list(examples)[:room]


def needed() -> Finding:
    """Begin the finding that whatever an order needs of others is there."""
    return Finding(
        "what_it_needs_is_there", 5, "The stock, resource, rider or kitchen of an order exists"
    )


def together(findings: Iterable[Finding]) -> list[Finding]:
    """Make one of those with the same name: several tables may be held against one rule."""
    by_name: dict[str, Finding] = {}
    for found in findings:
        before = by_name.setdefault(found.name, found)
        if before is not found:
            before.add(found.examined, found.violations, found.examples)
    return list(by_name.values())
