"""The audit: checks the invariants of the design on data at rest, and while orders are moving."""

from conveyor.checks.finding import Finding
from conveyor.operations.audit.report import AuditReport
from conveyor.operations.audit.run import run_audit

__all__ = ["AuditReport", "Finding", "run_audit"]
