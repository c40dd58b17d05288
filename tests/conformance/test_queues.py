"""Our queues, and the servers that speak SQS's protocol, keep what every queue service promises."""

from __future__ import annotations

from conveyor.testing.conformance.queues import QueueConformance


class TestEach(QueueConformance):
    """All of it, for each of them."""
