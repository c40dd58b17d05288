"""One look at a system: flows, queues, those outside, processes, and what needs somebody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from conveyor.core.durations import duration
from conveyor.core.paused_services import PausedService, paused
from conveyor.core.queue import DEAD_LETTER_SUFFIX
from conveyor.core.routing_slip import service_of
from conveyor.core.workers import Worker
from conveyor.operations.missing_flows import ADVICE
from conveyor.operations.overview import Overview, Overviews
from conveyor.operations.overview.lines import STUCK_MS
from conveyor.operations.queue_states import (
    ProviderState,
    QueueState,
    provider_states,
    queue_states,
)
from conveyor.operations.service_pauses import for_long
from conveyor.system.composition import App

REMEMBER_MS = 5_000
"""Whoever looks within that shares a look at the queues: on SQS that is two requests a queue."""


class NeedKind(StrEnum):
    """What may need somebody."""

    PARKED = "parked"
    """Orders that wait for an operator's decision."""
    FLOW_MISSING = "flow_missing"
    STUCK = "stuck"
    """Nothing gets past a step."""
    SERVICE_PAUSED = "service_paused"
    DEAD_LETTERS = "dead_letters"
    QUEUE_AWAY = "queue_away"
    NOBODY_SERVES = "nobody_serves"
    PROVIDER_AWAY = "provider_away"


@dataclass(frozen=True, slots=True)
class Need:
    """Something that needs somebody: what it is about, what is so, and what to do."""

    kind: NeedKind
    subject: str
    says: str
    todo: str


@dataclass(frozen=True, slots=True)
class Whole:
    """What is of all merchants, for who runs the system; told as it was at `at`."""

    at: int
    queues: list[QueueState]
    providers: list[ProviderState]


@dataclass(frozen=True, slots=True)
class Status:
    """How a system stands; `whole` is None for a merchant of many."""

    overview: Overview
    paused: list[PausedService]
    whole: Whole | None
    needs: list[Need]


class Statuses:
    """Looks when it is asked; at the queues no more often than every few seconds."""

    def __init__(self, app: App, overviews: Overviews) -> None:
        """Nothing was seen yet."""
        self._app = app
        self._overviews = overviews
        self._whole: Whole | None = None

    async def of(self, merchant: str | None, *, whole: bool) -> Status:
        """Say how a merchant's orders stand, or everybody's (None), and all of the system."""
        seen = await self._overviews.of(merchant)
        pauses = await self._app.engine.database.read(paused)
        everything, now = await self._look() if whole else None, self._app.engine.ambient.now_ms()
        needs = [*_of_orders(seen, pauses), *_of_pauses(pauses, now, whole=whole)]
        if everything:
            needs += _of_whole(everything, seen.workers, self._app.installed.services)
        return Status(seen, pauses, everything, needs)

    async def _look(self) -> Whole:
        engine = self._app.engine
        now = engine.ambient.now_ms()
        if self._whole is None or now - self._whole.at >= REMEMBER_MS:
            queues, providers = await queue_states(engine), await provider_states(engine)
            self._whole = Whole(now, queues, providers)
        return self._whole


def _of_orders(seen: Overview, pauses: list[PausedService]) -> Iterator[Need]:
    held = {it.service for it in pauses}
    for line in seen.lines:
        key = f"{line.name}@{line.version}"
        if line.parked:
            says = f"{line.parked:,} of its orders are parked"
            todo = "`conveyor dead-letters list`, and `conveyor explain ORDER`"
            yield Need(NeedKind.PARKED, key, says, todo)
        if line.stuck and service_of(line.stuck.step) not in held:
            waits = duration(line.stuck.oldest_ms or 0)
            says = f"nothing gets past {line.stuck.step}, the first waits for {waits}"
            todo = "see whether its service runs and its provider answers, and the logs; "
            todo += f"`conveyor orders list --step {line.stuck.step}` names the orders"
            yield Need(NeedKind.STUCK, key, says, todo)
    for flow, count in seen.missing.items():
        says = f"{count:,} open orders are of it, and it is not installed"
        yield Need(NeedKind.FLOW_MISSING, flow, says, ADVICE.rstrip("."))


def _of_pauses(pauses: list[PausedService], now_ms: int, *, whole: bool) -> Iterator[Need]:
    for it in pauses:
        says = (it.says if whole else it.says_to_merchants) + for_long(it, now_ms)
        todo = f"`conveyor services resume {it.service}`, once its reason is gone"
        yield Need(NeedKind.SERVICE_PAUSED, it.service, f"it {says}", todo)


def _of_whole(whole: Whole, workers: list[Worker], services: tuple[str, ...]) -> Iterator[Need]:
    for queue in whole.queues:
        yield from _of_queue(queue)
    alive = {s for it in workers if not it.is_silent(whole.at) for s in it.services}
    for queue in whole.queues if workers else ():  # functions do not say that they live
        late = queue.oldest is not None and whole.at - queue.oldest > STUCK_MS
        if late and queue.name in services and queue.name not in alive:
            says = f"no process that lives serves it, and {queue.orders:,} orders wait"
            todo = f"start `conveyor work {queue.name}`"
            yield Need(NeedKind.NOBODY_SERVES, queue.name, says, todo)
    for provider in whole.providers:
        if provider.paused or provider.orders:
            says = f"it answers nobody and is probed; {provider.orders:,} orders wait for it"
            todo = "the logs say what its calls end with; once it answers, all go on"
            yield Need(NeedKind.PROVIDER_AWAY, provider.name, says, todo)


def _of_queue(queue: QueueState) -> Iterator[Need]:
    if queue.depth is None or queue.dead is None:
        todo = "`conveyor doctor` says why"
        yield Need(NeedKind.QUEUE_AWAY, queue.name, "its queue does not answer", todo)
    if queue.letters:
        says = f"messages that nobody could handle: {queue.letters:,}"
        todo = "`conveyor dead-letters list`"
        yield Need(NeedKind.DEAD_LETTERS, queue.name + DEAD_LETTER_SUFFIX, says, todo)
