"""What an audit found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from conveyor.checks.finding import Finding


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
