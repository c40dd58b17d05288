"""The audit: checks the invariants of the design on data at rest, and while orders are moving."""

from conveyor.app.audit.report import AuditReport, Finding
from conveyor.app.audit.run import run_audit

__all__ = ["AuditReport", "Finding", "run_audit"]
