"""What an order asks for, as `benchmarks.flow_costs` has measured it: `data/measured.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

FILE = files("conveyor") / "data" / "measured.json"
ALONE_REQUESTS = 3
"""A message by itself is sent, received and deleted, each with a request."""


@dataclass(frozen=True, slots=True)
class PerOrder:
    """Figures of an order; those of the database and of processors were taken under load."""

    messages: float
    requests: float
    batch: float
    """Messages in a request."""
    calls: float
    database_log_bytes: float
    database_held_bytes: float
    database_cpu_seconds: float
    database_transfer_bytes: float
    worker_cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured, and how."""

    measured_at: str
    command: str
    flows: Mapping[str, PerOrder]
    """With as many orders at once as come."""
    borrowed: Mapping[str, Sequence[str]]
    """By flow, what was not measured of it: it is as with `yardstick`, by the messages."""
    yardstick: str
    """The flow whose functions were measured too."""
    cpu_seconds_a_message: float
    cpu_seconds_an_order_placed: float

    def at(self, flow: str, batch: float) -> PerOrder:
        """Give the figures where so many messages share a request, at least one."""
        together = self.flows[flow]
        batch = min(max(batch, 1.0), together.batch)
        alone = together.messages * ALONE_REQUESTS
        part = (1 / batch - 1 / together.batch) / (1 - 1 / together.batch)
        requests = together.requests + (alone - together.requests) * part
        return replace(together, requests=requests, batch=batch)


@cache
def measured() -> Measured:
    """Read the file."""
    read = orjson.loads(FILE.read_bytes())
    functions = read["functions"]
    full = read["flows"][functions["flow"]]["together"]
    together = {name: of["together"] for name, of in read["flows"].items()}
    return Measured(
        read["measured_at"],
        read["command"],
        {name: _figures(its, full) for name, its in together.items()},
        {name: sorted(full.keys() - its) for name, its in together.items()},
        functions["flow"],
        functions["cpu_seconds_a_message"],
        functions["cpu_seconds_an_order_placed"],
    )


def _figures(read: Mapping[str, Any], full: Mapping[str, Any]) -> PerOrder:
    """Read those of a flow; see `Measured.borrowed`."""
    share = read["messages"] / full["messages"]
    given = {name: value * share for name, value in full.items()} | dict(read)
    # A receive that finds nothing is no order's: idle polls are counted by themselves.
    receives = min(read["receives"], read["messages"])
    return PerOrder(
        messages=read["messages"],
        requests=read["sends"] + receives + read["deletes"],
        batch=read["messages_a_delete"],
        calls=read["calls"],
        database_log_bytes=read["database_log_bytes"],
        database_held_bytes=read["database_held_bytes"],
        database_cpu_seconds=read["database_cpu_seconds"],
        database_transfer_bytes=given["database_transfer_bytes"],
        worker_cpu_seconds=given["worker_cpu_seconds"],
    )
