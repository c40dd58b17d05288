"""Who is at work on a database, and what waits for nobody."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from conveyor.adapters.steady_clock import machine_ms
from conveyor.core.paused_services import paused
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.operations.doctor.findings import Finding, failure, fine, warning
from conveyor.operations.missing_flows import missing_among
from conveyor.operations.service_pauses import for_long
from conveyor.operations.standing import due
from conveyor.system.installation import Installation

CHECK = "workers"
LATE_MS = 60_000
"""Every process sweeps the outbox each few seconds: what is due for longer waits for nobody."""


def orphaned_flows(tx: Tx, installed: Installation | None) -> Iterator[Finding]:
    """Name the flows of open orders that are not installed: their messages are given back."""
    if installed is None:
        return
    for flow, count in missing_among(tx, {flow.key for flow in installed.flows}).items():
        says = f"open orders of it: {count:,}; it is not installed"
        todo = "install the package that brings it (CONVEYOR_EXTENSIONS), at that version"
        yield failure("extensions", flow, says, todo)


def embedded_owner(tx: Tx, owner: str | None) -> Iterator[Finding]:
    """Say whether a process owns an embedded database, and what waits while none does."""
    count = tx.execute(_OPEN).scalar_one()
    if owner:
        yield fine(CHECK, owner, f"it owns the directory, and drains its queues; {count:,} open")
    elif owner is None:
        yield warning(CHECK, "owner", "this system does not tell whether a process runs", START)
    elif count:
        yield warning(CHECK, "owner", f"no process runs, and {count:,} orders are open", START)
    else:
        yield fine(CHECK, "owner", "no process runs, and no order is open")


def at_work(tx: Tx, neighbours: int) -> Iterator[Finding]:
    """Say whether processes of ours are connected, and whether anybody sends what is owed."""
    if neighbours:
        yield fine(CHECK, "connections", f"{neighbours} of other processes of Conveyor are open")
    else:
        todo = "start `conveyor work all`; functions connect only while they work"
        yield warning(CHECK, "connections", "no other process of Conveyor is connected", todo)
    late = due(tx, machine_ms()).oldest_ms
    if late > LATE_MS:
        says = f"a message has been due for {late // 1000:,} s, and nobody sends it"
        yield failure(CHECK, "outbox", says, "start workers, or the function `tick`")
    else:
        yield fine(CHECK, "outbox", "nothing waits to be sent")


def paused_by_hand(tx: Tx, now_ms: int) -> Iterator[Finding]:
    """Name the services that an operator has paused; one that may be forgotten is a failure."""
    for it in paused(tx):
        todo = f"`conveyor services resume {it.service}`, once its reason is gone"
        is_long = it.is_long(now_ms)
        says = f"it {it.says}{for_long(it, now_ms)}"
        yield (failure if is_long else warning)("services", it.service, says, todo)


START = "run `conveyor up`"
_OPEN = sa.select(sa.func.count()).where(orders.c.settled_at.is_(None))
