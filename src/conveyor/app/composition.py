"""The composition root: parts and settings become providers, services and loops."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial

from conveyor.adapters.simulated.carrier import SimulatedCarrier
from conveyor.adapters.simulated.payments import SimulatedPaymentProvider
from conveyor.app.backends import webhook_key
from conveyor.app.bindings import NOBODY, bindings
from conveyor.app.engines import engine_of
from conveyor.app.extension_loading import listed
from conveyor.app.installation import Installation
from conveyor.app.parts import Parts
from conveyor.app.request_counts import RequestCounts
from conveyor.extension import Given, Running
from conveyor.messaging.answers import Answers
from conveyor.messaging.consumer import Consumer
from conveyor.messaging.engine import Engine
from conveyor.messaging.reconciler import Reconciler
from conveyor.messaging.registry import Registry
from conveyor.messaging.supervision import Loop
from conveyor.services.orders.intake_consumer import IntakeConsumer, IntakePolicy
from conveyor.services.orders.placement import Placement
from conveyor.services.shipping.confirmations import Confirmations
from conveyor.settings import EMBEDDED, Settings


class App:
    """A whole system, or the part of it that this process is to run."""

    def __init__(self, settings: Settings, parts: Parts, installed: Installation) -> None:
        """Wire the parts together; nothing is started."""
        self.settings = settings
        self.parts = parts
        self.installed = installed
        key = webhook_key(settings)
        handed_in = parts.provider is not None and parts.carrier is not None
        self.bound = NOBODY if handed_in else bindings(settings, parts.ambient, installed)
        self.provider = parts.provider or SimulatedPaymentProvider(
            parts.ledger, parts.ambient, latency_seconds=settings.payment_latency_seconds
        )
        self.carrier = parts.carrier or SimulatedCarrier(
            parts.ledger,
            parts.ambient,
            key=key,
            deliver_after_seconds=settings.delivery_delay_seconds,
            post=self._post_webhook,
        )
        """Both stand in where the settings name nobody."""
        self.engine = self._engine()
        self.placement = Placement(self.engine)
        self.answers = Answers(self.engine)
        self.running = Running(settings, self.engine, self.answers, self.placement)
        self.confirmations = Confirmations(self.answers, key, parts.ambient)
        self.reconciling_since: int | None = None
        """Since when this process sends lost tokens again, for the audit; None: it does not."""

    def _engine(self) -> Engine:
        installed = self.installed
        given = Given(
            self.settings,
            self.parts.ambient,
            self.bound.payments or self.provider,
            self.bound.carrier or self.carrier,
            installed.payers,
        )
        registry = Registry(installed.flows, installed.steps(given), installed.queues)
        return engine_of(self.settings, self.parts, registry)

    @property
    def counts_requests(self) -> bool:
        """Whether requests to the queues are paid for, and therefore counted."""
        return not self.settings.queue_url.startswith(EMBEDDED)

    async def open(self) -> None:
        """Connect to the queues, the payment provider and the carrier."""
        await self.parts.queues.open()
        await self.bound.open()
        if self.bound.payments is None:
            await self.provider.open()
        if self.bound.carrier is None:
            await self.carrier.open()

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
        for name in services:
            yield f"consumer of {name}", Consumer(self.engine, name).run
        if "orders" in services:
            yield "intake", self.intake().run

    def _chores(self, services: Collection[str]) -> Iterator[tuple[str, Loop]]:
        engine, parts = self.engine, self.parts
        if parts.timekeeper is not None:
            yield "timekeeper", parts.timekeeper.run
        yield "sweeper", partial(engine.relay.sweep, unable=engine.gate.close)
        if self.counts_requests:
            counts = RequestCounts(parts.database, parts.queues, parts.ambient)
            yield "request counts", counts.run
        if "orders" in services:
            yield "reconciler", Reconciler(engine).run
        if "shipping" in services and self.bound.carrier is None:
            yield "simulated carrier", self.carrier.run
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
        await self.bound.close()
        await self.parts.queues.close()
        await self.parts.ledger.close()
        await self.parts.database.close()

    async def _post_webhook(self, headers: Mapping[str, str], body: bytes) -> int:
        await self.confirmations.receive(headers, body)
        return 204
