"""`conveyor doctor`: what is wrong with a deployment, and what to do about it.

It looks and never changes anything. Each check is by itself, with a deadline: what one cannot see
is a finding of its own, and the others go on.
"""

from conveyor.operations.doctor.examination import Report, examine
from conveyor.operations.doctor.findings import Finding, Status

__all__ = ["Finding", "Report", "Status", "examine"]
