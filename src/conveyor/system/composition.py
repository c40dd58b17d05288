"""The composition root: parts and settings become providers, services and loops."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from functools import partial

from conveyor.commerce.orders.intake_consumer import IntakeConsumer, IntakePolicy
from conveyor.commerce.orders.placement import Placement
from conveyor.core.answers import Answers
from conveyor.core.consumer import Consumer
from conveyor.core.draining import Drain
from conveyor.core.engine import Engine
from conveyor.core.reconciler import Reconciler
from conveyor.core.registry import Registry
from conveyor.core.supervision import Loop
from conveyor.extension import Dependencies, Running
from conveyor.settings import EMBEDDED, Settings
from conveyor.system.bindings import bind
from conveyor.system.engines import engine_of
from conveyor.system.extension_loading import listed
from conveyor.system.installation import Installation
from conveyor.system.months import Months
from conveyor.system.parts import Parts
from conveyor.system.personal import personal_in
from conveyor.system.ports import ports_of
from conveyor.system.request_counts import RequestCounts


class App:
    """A whole system, or the part of it that this process is to run."""

    def __init__(self, settings: Settings, parts: Parts, installed: Installation) -> None:
        """Wire the parts together; nothing is started."""
        self.settings = settings
        self.parts = parts
        self.installed = installed
        self.ports = ports_of(settings, parts.ambient, installed.extensions, parts.ports)
        self._given = Dependencies(settings, parts.ambient, self.ports, installed.payers)
        self.engine = self._engine()
        self.placement = Placement(self.engine)
        self.answers = Answers(self.engine)
        self.running = Running(settings, self.engine, self.answers, self.placement, self.ports)
        self.reconciling_since: int | None = None
        """Since when this process sends lost tokens again, for the audit; None: it does not."""

    def _engine(self) -> Engine:
        installed = self.installed
        steps = installed.steps(self._given)
        personal = personal_in(installed.flows, installed.bodies)
        registry = Registry(installed.flows, steps, installed.queues, personal)
        return engine_of(self.settings, self.parts, registry)

    @property
    def counts_requests(self) -> bool:
        """Whether requests to the queues are paid for, and therefore counted."""
        return not self.settings.queue_url.startswith(EMBEDDED)

    async def open(self) -> None:
        """Connect to the queues, and to everybody outside."""
        await self.parts.queues.open()
        await self.ports.open()
        bind(self.engine.providers, self.installed, self._given, self.ports)

    async def require_queues(self) -> None:
        """Ask for each queue, once: one that is not there is better found out now than by workers.

        Raises what the adapter raises.
        """
        if not self.settings.queue_url.startswith(EMBEDDED):  # which makes its own
            for name in self.engine.registry.queues:
                await self.parts.queues.queue(name).depth()

    async def run(self, services: Collection[str], stop: asyncio.Event) -> None:
        """Run these services until told to stop, then stop cleanly.

        Whatever process commits may crash between commit and send, so each one sweeps.
        """
        await self._keep(self._loops(services), services, stop)

    async def tend(self, stop: asyncio.Event) -> None:
        """Run, until told to stop, what goes by the clock and not by messages: for all services."""
        await self._keep(self._chores(self.installed.services), self.installed.services, stop)

    async def _keep(
        self, loops: Iterable[tuple[str, Loop]], services: Collection[str], stop: asyncio.Event
    ) -> None:
        if "orders" in services:
            self.reconciling_since = self.parts.ambient.now_ms()
        async with asyncio.TaskGroup() as tasks:
            for name, loop in loops:
                tasks.create_task(self.engine.supervisor.keep(name, loop, stop))
        await self.placement.settle()

    def _loops(self, services: Collection[str]) -> Iterator[tuple[str, Loop]]:
        yield from self._chores(services)
        if services:
            self.engine.pauses.look_first()
            yield "pauses", self.engine.pauses.run
        for name in services:
            yield f"consumer of {name}", Consumer(self.engine, name).run
        if "orders" in services:
            yield "intake", self.intake().run

    def _chores(self, services: Collection[str]) -> Iterator[tuple[str, Loop]]:
        engine, parts = self.engine, self.parts
        if parts.timekeeper is not None:
            yield "timekeeper", parts.timekeeper.run
        yield "sweeper", engine.relay.sweep
        if parts.is_named and parts.database.dialect == "postgresql":
            yield "months", Months(parts.database, parts.ambient.now_ms).run
        if self.counts_requests:
            counts = RequestCounts(parts.database, parts.queues, parts.ambient)
            yield "request counts", counts.run
        if "orders" in services:
            yield "reconciler", Reconciler(engine).run
            if self.counts_requests:  # elsewhere nobody but us puts anything there
                yield "drain of dead letters", Drain(engine).run
        for extension in self.installed.extensions:
            hook = partial(extension.loops, self.running, services)
            yield from listed(extension.name, hook)

    def intake(self, engine: Engine | None = None) -> IntakeConsumer:
        """Give a consumer of the intake queue; `engine` is this system's, or one made from it."""
        settings = self.settings
        policy = IntakePolicy(
            settings.intake_merchant, settings.default_currency, settings.intake_method
        )
        return IntakeConsumer(engine or self.engine, self.placement, self.installed.bodies, policy)

    async def close(self) -> None:
        """Let go of connections and files."""
        await self.ports.close()
        await self.parts.queues.close()
        if self.parts.replica is not None:
            await self.parts.replica.close()
        await self.parts.database.close()
        if self.parts.tracer is not None:
            await self.parts.tracer.close()
