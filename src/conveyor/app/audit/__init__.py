"""The audit: checks the invariants of the design on data at rest, and while orders are moving."""

from conveyor.app.audit.report import AuditReport
from conveyor.app.audit.run import run_audit
from conveyor.checks.finding import Finding

__all__ = ["AuditReport", "Finding", "run_audit"]
