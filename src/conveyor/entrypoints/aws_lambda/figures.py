"""What CloudWatch is told of a system: a line of the tick's log, in its embedded metric format.

No function of ours asks CloudWatch for anything, nor has the right to: it reads the line.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import orjson

from conveyor.operations.standing import Standing, standing
from conveyor.system.composition import App

NAMESPACE = "Conveyor"
SYSTEM = "System"
"""The one dimension: what the names of the system's queues begin with."""
UNITS = {
    "OrdersOpen": "Count",
    "OrdersParked": "Count",
    "OrdersBlocked": "Count",
    "OrdersWaiting": "Count",
    "DeadMessages": "Count",
    "OutboxDue": "Count",
    "OutboxOldestDueSeconds": "Seconds",
}


async def told(app: App, system: str) -> str:
    """Give the line that tells how a system stands now."""
    now = app.parts.ambient.now_ms()
    return line(await standing(app.engine, now), system, now)


def line(seen: Standing, system: str, now_ms: int) -> str:
    """Write it down."""
    figures = (
        seen.open,
        seen.parked,
        seen.blocked,
        seen.waiting,
        seen.dead,
        seen.due.rows,
        seen.due.oldest_ms / 1000,
    )
    metrics = [{"Name": name, "Unit": unit} for name, unit in UNITS.items()]
    directive = {"Namespace": NAMESPACE, "Dimensions": [[SYSTEM]], "Metrics": metrics}
    return orjson.dumps(
        {
            "_aws": {"Timestamp": now_ms, "CloudWatchMetrics": [directive]},
            SYSTEM: system,
            **dict(zip(UNITS, figures, strict=True)),
        }
    ).decode()
