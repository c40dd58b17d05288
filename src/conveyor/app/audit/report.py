"""What an audit found: for each check how much it looked at, and what breaks it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
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


@dataclass(frozen=True, slots=True)
class AuditReport:
    """All findings; times are milliseconds since the epoch."""

    at: int
    orders: int
    by_status: Mapping[str, int]
    findings: Sequence[Finding]

    @property
    def violations(self) -> int:
        """How many violations there are, of all checks."""
        return sum(finding.violations for finding in self.findings)

    @property
    def clean(self) -> bool:
        """Whether every invariant holds."""
        return self.violations == 0

    def as_json(self) -> dict[str, Any]:
        """Give the report in JSON values."""
        return {
            "clean": self.clean,
            "at": self.at,
            "orders": self.orders,
            "by_status": dict(self.by_status),
            "violations": self.violations,
            "checks": [asdict(finding) for finding in self.findings],
        }
