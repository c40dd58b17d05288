"""One look at a system, for the command line and for programs."""

from __future__ import annotations

from dataclasses import asdict

from conveyor.access.model import Grant
from conveyor.core.rfc3339 import iso
from conveyor.core.workers import Worker
from conveyor.entrypoints.http.context import Operator, TheApi
from conveyor.entrypoints.http.described import looking
from conveyor.entrypoints.http.overview_schemas import (
    DepthView,
    LineView,
    NeedView,
    OverviewView,
    ProviderView,
    QueueView,
    StationView,
    WorkerView,
)
from conveyor.entrypoints.http.report_schemas import Latency
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.services import pause_view
from conveyor.operations.overview import FlowLine, Standing, Station
from conveyor.operations.queue_states import QueueState
from conveyor.operations.status import Status

router = ApiRouter(tags=["reports"], responses=looking())


@router.get("/v1/overview")
async def show_overview(api: TheApi, grant: Operator) -> OverviewView:
    """Say how flows stand and what needs somebody; to who runs the system also the rest of it.

    Rates are of the last minute, and some seconds late. On SQS a look at the queues is two requests
    a queue, at most every five seconds, however many ask.
    """
    status = await api.statuses.of(grant.sees, whole=grant.runs_the_system)
    return _view(status, grant)


def _view(status: Status, grant: Grant) -> OverviewView:
    seen, whole = status.overview, status.whole
    at = whole.at if whole else seen.at
    return OverviewView(
        at=iso(seen.at),
        ok=not status.needs,
        needs=[NeedView(**asdict(it)) for it in status.needs],
        open=seen.open,
        parked=seen.parked,
        placed_a_minute=seen.placed_a_minute,
        ended_a_minute=seen.ended_a_minute,
        latency_ms=Latency(p50=seen.p50, p99=seen.p99),
        flows=[_line(it) for it in seen.lines],
        missing_flows=seen.missing,
        paused_services=[pause_view(it, grant) for it in status.paused],
        queues=[_queue(it, at) for it in whole.queues] if whole else None,
        providers=[ProviderView(**asdict(it)) for it in whole.providers] if whole else None,
        workers=[_worker(it, seen.at) for it in seen.workers] if whole else None,
    )


def _line(line: FlowLine) -> LineView:
    return LineView(
        flow=line.name,
        version=line.version,
        open=line.open,
        parked=line.parked,
        ends_a_minute=line.ends_a_minute,
        stuck_at=line.stuck.step if line.stuck else None,
        cleared_in_ms=line.cleared_in_ms,
        stations=[_station(it) for it in line.stations],
    )


def _station(it: Station) -> StationView:
    counts = {str(standing): it.count(standing) for standing in Standing}
    return StationView(step=it.step, a_minute=it.a_minute, oldest_ms=it.oldest_ms, **counts)


def _queue(it: QueueState, now_ms: int) -> QueueView:
    return QueueView(
        name=it.name,
        depth=DepthView(**asdict(it.depth)) if it.depth else None,
        dead=it.letters,
        orders=it.orders,
        oldest_ms=None if it.oldest is None else max(now_ms - it.oldest, 0),
    )


def _worker(it: Worker, now_ms: int) -> WorkerView:
    return WorkerView(
        host=it.host,
        pid=it.pid,
        version=it.version,
        services=list(it.services),
        in_hand=sum(it.load.values()),
        started_at=iso(it.started_at),
        seen_at=iso(it.seen_at),
        alive=not it.is_silent(now_ms),
    )
