"""What Prometheus reads: https://prometheus.io/docs/instrumenting/exposition_formats/."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from starlette.applications import Starlette

from conveyor.core.errors import DatabaseUnavailableError
from conveyor.core.outage import tell
from conveyor.core.queue import DEAD_LETTER_SUFFIX, Depth
from conveyor.entrypoints.edge.figures import Figures
from conveyor.entrypoints.edge.refusals import OVERLOADED
from conveyor.entrypoints.http.context import Api
from conveyor.entrypoints.http.measured import measured
from conveyor.entrypoints.http.measured import requests as answered
from conveyor.operations.missing_flows import missing_flows
from conveyor.operations.queue_states import depth_of
from conveyor.operations.shared_figures import shared_figures
from conveyor.operations.standing import Due
from conveyor.operations.summary import Summary, Which

REMEMBER_MS = 5_000
"""Scrapes within that share one look: on SQS the depths alone are a request a queue."""
MISSING_MS = 60_000
"""Which flows are missing changes with a deployment, and to find it reads all open orders."""
SELDOM = ("faulted", "orphaned", "poisoned", "resent")
"""Told of while there are none, too: Prometheus sees no increase in what begins with the first."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Look:
    at: int
    depths: dict[str, Depth | None]
    due: Due
    orders: Summary
    blocked: tuple[int, int]  # groups, and orders that wait in them
    waiting: dict[str, int]
    workers: dict[str, int]
    paused: dict[str, bool]
    missing: dict[str, int]
    dead: dict[str, int]


class Metrics:
    """Gives the metrics of one process, and those of the database and queues that all share."""

    def __init__(self, http: Starlette) -> None:
        api: Api = http.state.api
        self._app = api.app
        self._summaries = api.summaries
        self._state = http.state
        """What its server and its middleware count, once they are there."""
        self._last: _Look | None = None
        self._missing: tuple[int, dict[str, int]] | None = None

    async def text(self, accept: str = "") -> tuple[bytes, str]:
        """Give the metrics in the form that is asked for, and what that is called.

        It is Prometheus' text, unless `accept` names OpenMetrics: that alone has exemplars.
        """
        write, media_type = choose_encoder(accept)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collected(await self.families()))
        return write(registry), media_type

    async def families(self) -> list[Metric]:
        """Give the metrics, whoever is told them."""
        engine = self._app.engine
        now = engine.ambient.now_ms()
        if self._last is None or now - self._last.at >= REMEMBER_MS:
            self._last = await self._look_if_there(now)
        shared = _gauges(self._last) if self._last else ()
        up = GaugeMetricFamily("conveyor_database_up", "Whether the database answers.")
        up.add_metric([], self._last is not None)
        return [*self._counters(), *measured(engine.measures), *self._edge(), up, *shared]

    async def _look_if_there(self, now: int) -> _Look | None:
        """Without the database the figures of this process are wanted most of all."""
        try:
            return await self._look(now)
        except DatabaseUnavailableError as error:
            tell(log, error, "the figures of the database are not known now")
            return None

    async def _look(self, now: int) -> _Look:
        engine = self._app.engine
        names = [n + end for n in engine.registry.queues for end in ("", DEAD_LETTER_SUFFIX)]
        depths = await asyncio.gather(*(depth_of(self._app.engine, name) for name in names))
        found = await shared_figures(engine, now)
        orders = await self._summaries.of(Which(None))
        seen = dict(zip(names, depths, strict=True))
        missing = await self._missing_flows(now)
        services = self._app.installed.services
        alive = Counter(s for it in found.processes if not it.is_silent(now) for s in it.services)
        return _Look(
            at=now,
            depths=seen,
            due=found.late,
            orders=orders,
            blocked=found.blocked,
            waiting=found.waiting,
            workers=dict.fromkeys(services, 0) | alive,
            paused={name: name in found.paused for name in services},
            missing=missing,
            dead=dict.fromkeys(engine.registry.queues, 0) | found.dead,
        )

    async def _missing_flows(self, now: int) -> dict[str, int]:
        if self._missing is None or now - self._missing[0] >= MISSING_MS:
            self._missing = now, await missing_flows(self._app.engine)
        return self._missing[1]

    def _counters(self) -> Iterator[Metric]:
        tally = CounterMetricFamily(
            "conveyor_messages",
            "Messages that this process took, by what became of them.",
            labels=["outcome", "queue"],
        )
        engine = self._app.engine
        none = {(what, queue): 0 for what in SELDOM for queue in engine.registry.queues}
        for (what, queue), count in sorted({**none, **engine.tally}.items()):
            tally.add_metric([what, queue], count)
        yield tally
        requests = CounterMetricFamily(
            "conveyor_queue_requests", "Requests that this process made to the queue service."
        )
        requests.add_metric([], engine.queues.requests)
        yield requests
        restarts = CounterMetricFamily(
            "conveyor_loop_restarts",
            "Loops of this process that ended before the stop, and were started again.",
            labels=["loop"],
        )
        kept, ended = engine.supervisor.kept, engine.supervisor.restarts
        for loop, count in sorted((dict.fromkeys(kept, 0) | ended).items()):
            restarts.add_metric([loop], count)
        yield restarts
        says = "Whether this process has paused whom it called: they answer nobody, and are probed."
        paused = {it.name: it.breaker.is_paused for it in engine.providers}
        yield _counted("conveyor_provider_paused", says, "provider", paused)

    def _edge(self) -> Iterator[Metric]:
        figures = getattr(self._state, "figures", None) or Figures()
        connections = GaugeMetricFamily("conveyor_http_connections", "Connections that are open.")
        connections.add_metric([], figures.connections)
        yield connections
        refused = CounterMetricFamily(
            "conveyor_http_refused",
            "Requests and connections that were sent away unseen, by the code of the answer.",
            labels=["code"],
        )
        for code, count in sorted(({OVERLOADED.code: 0} | figures.refused).items()):
            refused.add_metric([code], count)
        yield refused
        yield answered(getattr(self._state, "requests", {}))


def metrics_of(http: Starlette) -> Metrics:
    """Give those of an application, which remembers when it last looked."""
    found: Metrics | None = getattr(http.state, "metrics", None)
    if found is None:
        found = http.state.metrics = Metrics(http)
    return found


class _Collected:
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _counted(name: str, says: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, says, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


def _gauges(look: _Look) -> Iterator[Metric]:
    depths = GaugeMetricFamily(
        "conveyor_queue_messages", "Messages in a queue.", labels=["queue", "state"]
    )
    up = GaugeMetricFamily("conveyor_queue_up", "Whether the queue answers.", labels=["queue"])
    for name, depth in look.depths.items():
        up.add_metric([name], depth is not None)
        if depth is not None:
            depths.add_metric([name, "visible"], depth.visible)
            depths.add_metric([name, "in_flight"], depth.in_flight)
            depths.add_metric([name, "delayed"], depth.delayed)
    yield from (depths, up)
    by_status = dict(sorted(look.orders.by_status.items()))
    yield _counted("conveyor_orders", "Orders by status.", "status", by_status)
    without = "Orders not at their end whose flow is not installed here."
    yield _counted("conveyor_orders_without_flow", without, "flow", look.missing)
    waits = "Orders that wait for a provider that answers nobody."
    yield _counted("conveyor_orders_waiting", waits, "provider", look.waiting)
    drained = "Messages drained from dead-letter queues, which wait for an operator."
    yield _counted("conveyor_dead_messages", drained, "queue", look.dead)
    alive = "Processes that live, by what they serve; `api`: those that answer HTTP."
    yield _counted("conveyor_workers", alive, "service", look.workers)
    held = "Whether an operator has paused a service: its steps are not taken."
    yield _counted("conveyor_service_paused", held, "service", look.paused)
    groups, behind = look.blocked
    yield from (
        GaugeMetricFamily(name, says, value)
        for name, says, value in (
            ("conveyor_orders_open", "Orders neither at their end nor parked.", look.orders.open),
            # Which they are names tenants and orders, and is told to those who hold a key.
            ("conveyor_groups_blocked", "Message groups in which a parked order is first.", groups),
            ("conveyor_orders_blocked", "Orders that wait behind a parked one.", behind),
            ("conveyor_outbox_due", "Rows of the outbox that are due, timers too.", look.due.rows),
            (
                "conveyor_outbox_oldest_due_seconds",
                "How long the oldest of them has been due.",
                look.due.oldest_ms / 1000,
            ),
        )
    )
