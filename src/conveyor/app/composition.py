"""The composition root: settings to database, queues, providers and services."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import sqlalchemy as sa

from conveyor.adapters.simulated.carrier import SimulatedCarrier
from conveyor.adapters.simulated.payments import SimulatedPaymentProvider
from conveyor.adapters.steady_clock import since_boot_seconds
from conveyor.app.addition import Wired
from conveyor.app.additions import ADDITIONS
from conveyor.app.backends import (
    bring_up_to_date,
    open_database,
    open_ledger,
    open_queues,
    webhook_secrets,
)
from conveyor.app.installation import Installation, installation
from conveyor.app.request_counts import RequestCounts
from conveyor.app.timekeeper import Timekeeper, open_timekeeper
from conveyor.messaging.ambient import Ambient, Clock
from conveyor.messaging.answers import Answers
from conveyor.messaging.consumer import Consumer
from conveyor.messaging.engine import Engine, Limits
from conveyor.messaging.outbox import Relay
from conveyor.messaging.queue import Queues
from conveyor.messaging.reconciler import Reconciler
from conveyor.messaging.registry import Registry
from conveyor.messaging.retries import RetryPolicy
from conveyor.messaging.step import AnyStep
from conveyor.messaging.supervision import Loop
from conveyor.messaging.transaction import Database, Tx
from conveyor.services.inventory.steps import STEPS as INVENTORY_STEPS
from conveyor.services.orders.intake_consumer import IntakeConsumer, IntakePolicy
from conveyor.services.orders.placement import Placement
from conveyor.services.orders.steps import STEPS as ORDER_STEPS
from conveyor.services.payments import ports as payment_ports
from conveyor.services.payments.steps import payment_steps
from conveyor.services.shipping import ports as shipping_ports
from conveyor.services.shipping.confirmations import Confirmations
from conveyor.services.shipping.steps import shipping_steps
from conveyor.services.shipping.webhooks import WebhookKey
from conveyor.settings import EMBEDDED, Settings

POSTGRES_LANES = 2
POSTGRES_LINGER_SECONDS = 0.01
SQS_LINGER_SECONDS = 0.05


class PaymentProvider(payment_ports.PaymentProvider, Protocol):
    """A provider, and how it is connected to."""

    async def open(self) -> None:
        """Connect."""
        ...


class Carrier(shipping_ports.Carrier, Protocol):
    """A carrier, and what of it runs in our processes."""

    async def open(self) -> None:
        """Connect."""
        ...

    async def run(self, stop: asyncio.Event) -> None:
        """Tell of arrivals until `stop` is set."""
        ...

    async def shipped_twice(self) -> list[str]:
        """For the audit: orders of which more than one parcel was not lost."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What is handed in: a test hands in its own of any of these."""

    ambient: Ambient
    database: Database
    ledger: Database
    queues: Queues
    timekeeper: Timekeeper | None = None
    """What keeps the clock right; None: the clock that was handed in needs nobody."""
    provider: PaymentProvider | None = None
    carrier: Carrier | None = None
    """Outside actors; None: the simulated ones, on the ledger."""


class App:
    """A whole system, or the part of it that this process is to run."""

    def __init__(self, settings: Settings, parts: Parts, installed: Installation) -> None:
        """Wire the parts together; nothing is started."""
        self.settings = settings
        self.parts = parts
        self.installed = installed
        key = WebhookKey(webhook_secrets(settings))
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
        self.additions = [addition(settings, parts.ambient, parts.ledger) for addition in ADDITIONS]
        self.engine = self._engine()
        self.placement = Placement(self.engine)
        self.answers = Answers(self.engine)
        for addition in self.additions:
            addition.wired = Wired(self.engine, self.answers, self.placement)
        self.confirmations = Confirmations(self.answers, key, parts.ambient)
        self.reconciling_since: int | None = None
        """Since when this process sends lost tokens again, for the audit; None: it does not."""

    def _engine(self) -> Engine:
        settings, parts = self.settings, self.parts
        payers = {
            flow: payer for addition in self.additions for flow, payer in addition.payers().items()
        }
        steps: dict[str, AnyStep] = {
            **ORDER_STEPS,
            **INVENTORY_STEPS,
            **payment_steps(self.provider, payers),
            **shipping_steps(self.carrier, delivery_seconds=settings.delivery_deadline_seconds),
        }
        for addition in self.additions:
            steps |= addition.steps()
        steps |= self.installed.added_steps(parts.ambient)
        return Engine(
            database=parts.database,
            queues=parts.queues,
            registry=Registry(self.installed.flows, steps, self.installed.queues),
            ambient=parts.ambient,
            relay=Relay(parts.database, parts.queues, parts.ambient),
            retries=RetryPolicy(
                settings.max_receives, settings.backoff_base_seconds, settings.backoff_cap_seconds
            ),
            limits=Limits(
                group_size=settings.group_size,
                in_flight=settings.in_flight,
                lanes=1 if parts.database.dialect == "sqlite" else POSTGRES_LANES,
                linger_seconds=_linger_seconds(settings, parts.database.dialect),
                pollers=1 if settings.queue_url.startswith(EMBEDDED) else Limits().pollers,
                grace_seconds=settings.grace_seconds,
                call_seconds=settings.call_timeout_seconds,
                calls_at_once=settings.calls_at_once,
            ),
        )

    @property
    def counts_requests(self) -> bool:
        """Whether requests to the queues are paid for, and therefore counted."""
        return not self.settings.queue_url.startswith(EMBEDDED)

    async def open(self) -> None:
        """Connect to the queues and open the simulated provider's and carrier's ledgers."""
        await self.parts.queues.open()
        await self.provider.open()
        await self.carrier.open()
        for addition in self.additions:
            await addition.open()

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
        if "orders" in services:
            self.reconciling_since = self.parts.ambient.now_ms()
        async with asyncio.TaskGroup() as tasks:
            for name, loop in self._loops(services):
                tasks.create_task(self.engine.supervisor.keep(name, loop, stop))
        await self.placement.settle()

    def _loops(self, services: Collection[str]) -> Iterator[tuple[str, Loop]]:
        engine, parts = self.engine, self.parts
        if parts.timekeeper is not None:
            yield "timekeeper", parts.timekeeper.run
        yield "sweeper", partial(engine.relay.sweep, unable=engine.gate.close)
        if self.counts_requests:
            counts = RequestCounts(parts.database, parts.queues, parts.ambient)
            yield "request counts", counts.run
        for name in services:
            yield f"consumer of {name}", Consumer(engine, name).run
        if "orders" in services:
            policy = IntakePolicy(
                self.settings.intake_merchant,
                self.settings.default_currency,
                self.settings.intake_method,
            )
            intake = IntakeConsumer(engine, self.placement, self.installed.bodies, policy)
            yield "intake", intake.run
            yield "reconciler", Reconciler(engine).run
        if "shipping" in services:
            yield "simulated carrier", self.carrier.run
        for addition in self.additions:
            yield from addition.loops(services)

    async def close(self) -> None:
        """Let go of connections and files."""
        await self.parts.queues.close()
        await self.parts.ledger.close()
        await self.parts.database.close()

    async def _post_webhook(self, headers: Mapping[str, str], body: bytes) -> int:
        await self.confirmations.receive(headers, body)
        return 204


async def create_tables(database: Database, installed: Installation) -> None:
    """Create the extensions' tables where they are missing."""
    for extension in installed.extensions:
        if extension.tables is not None:
            await database.run(partial(_create, extension.tables))


def _create(tables: sa.MetaData, tx: Tx) -> None:
    tables.create_all(tx.connection)


def _linger_seconds(settings: Settings, dialect: str) -> float:
    """A group's fixed cost is in its round trips: where there are some, fuller groups pay."""
    if not settings.queue_url.startswith(EMBEDDED):
        return SQS_LINGER_SECONDS
    return 0.0 if dialect == "sqlite" else POSTGRES_LINGER_SECONDS


def ambient_of(clock: Clock) -> Ambient:
    """Give this clock, with the machine's own steady source and random numbers."""
    rng = random.Random()  # noqa: S311 - jitter and ids, no secrets
    return Ambient(clock, rng, since_boot_seconds)


@asynccontextmanager
async def running_app(
    settings: Settings, services: Collection[str] | None = None
) -> AsyncIterator[App]:
    """Open a system, run these services of it (or all), and stop them cleanly at the end.

    Should a service break, the body is cancelled and what broke it is raised.
    """
    app = await open_app(settings)
    try:
        await app.require_queues()
        stop = asyncio.Event()
        body = asyncio.current_task()
        wanted = app.installed.services if services is None else services
        running = asyncio.create_task(app.run(wanted, stop))
        running.add_done_callback(lambda _: stop.is_set() or (body and body.cancel()))
        try:
            yield app
        finally:
            stop.set()
            await running
    finally:
        await app.close()


async def open_app(settings: Settings) -> App:
    """Open a system without running anything of it; an embedded one is migrated first.

    Raises `SettingError`, `SchemaNotCurrentError`, and what the backends raise.
    """
    async with AsyncExitStack() as opened:
        database = open_database(settings)
        opened.push_async_callback(database.close)
        await bring_up_to_date(database)
        ledger = open_ledger(settings)
        opened.push_async_callback(ledger.close)
        timekeeper = await open_timekeeper(database)
        ambient = ambient_of(timekeeper.clock)
        installed = installation(settings)
        await create_tables(database, installed)
        queues = open_queues(settings, installed.queues, ambient)
        opened.push_async_callback(queues.close)
        app = App(settings, Parts(ambient, database, ledger, queues, timekeeper), installed)
        await app.open()
        opened.pop_all()
        return app
