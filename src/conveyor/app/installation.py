"""What is installed: our flows and services, and those of the packages that extend us."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import entry_points

from conveyor.app.additions import ADDITIONS
from conveyor.app.extension_checks import ExtensionError, check, steps_of
from conveyor.extension import Extension
from conveyor.flows import SHOP
from conveyor.messaging.ambient import Ambient
from conveyor.messaging.queue import QueueSpec
from conveyor.messaging.routing_slip import Flow
from conveyor.messaging.step import AnyStep
from conveyor.services.orders.bodies import Bodies
from conveyor.services.orders.intake_consumer import INTAKE
from conveyor.services.orders.model import OrderBody
from conveyor.services.shipping.steps import SHIP
from conveyor.settings import Settings

__all__ = ["ExtensionError", "Installation", "installation"]

GROUP = "conveyor.extensions"
SERVICES = ("orders", "payments", "inventory", "shipping")
# The queue's own redrive is the backstop for what we never get to park: after as many receives
# as faults park an order, and as many again that leave no trace, there is something to spare.
REDRIVE_MARGIN = 5
INTAKE_RETENTION_SECONDS = 14 * 86_400
"""The longest that SQS keeps a message: one that was answered for is the only copy."""


@dataclass(frozen=True, slots=True)
class Installation:
    """All flows, services, queues and bodies of one deployment."""

    extensions: tuple[Extension, ...]
    flows: tuple[Flow, ...]
    services: tuple[str, ...]
    queues: tuple[QueueSpec, ...]
    bodies: Bodies

    def added_steps(self, ambient: Ambient) -> dict[str, AnyStep]:
        """Give the steps that extensions add. Raises `ExtensionError`."""
        steps: dict[str, AnyStep] = {}
        for extension in self.extensions:
            for service in extension.services:
                steps |= steps_of(extension, service, ambient)
        return steps


def installation(settings: Settings) -> Installation:
    """Load what the settings and the installed packages name. Raises `ExtensionError`."""
    extensions = tuple(_load(settings.extensions))
    flows = [SHOP]
    fifo = dict.fromkeys(SERVICES, False)
    bodies: dict[str, type[OrderBody]] = {}
    for addition in ADDITIONS:
        flows += addition.flows
        fifo |= addition.services
        bodies |= addition.bodies
    for extension in extensions:
        flows += extension.flows
        for service in extension.services:
            _require_new("service", service.name, [*fifo, INTAKE])
            fifo[service.name] = service.fifo
        bodies |= extension.bodies
    for at, flow in enumerate(flows):
        _require_new("flow", flow.key, [earlier.key for earlier in flows[:at]])
    receives = 2 * settings.max_receives + REDRIVE_MARGIN
    queues = [
        QueueSpec(
            name,
            fifo=in_order,
            visibility_seconds=settings.visibility_seconds,
            max_receives=receives,
        )
        for name, in_order in fifo.items()
    ]
    queues.append(
        QueueSpec(
            INTAKE,
            durable=True,
            max_receives=receives,
            retention_seconds=INTAKE_RETENTION_SECONDS,
        )
    )
    read = Bodies(bodies, () if settings.address_optional else _shipping(flows))
    return Installation(extensions, tuple(flows), tuple(fifo), tuple(queues), read)


def _shipping(flows: Iterable[Flow]) -> set[str]:
    return {flow.name for flow in flows if any(step.name == SHIP for step in flow.steps)}


def _load(named: str) -> Iterable[Extension]:
    for entry in entry_points(group=GROUP):
        try:
            yield _checked(entry.name, entry.load())
        except (ImportError, AttributeError) as error:
            raise ExtensionError(entry.name, str(error)) from error
    for name in filter(None, (part.strip() for part in named.split(","))):
        module, _, attribute = name.partition(":")
        try:
            yield _checked(name, getattr(importlib.import_module(module), attribute))
        except (ImportError, AttributeError, ValueError) as error:
            raise ExtensionError(name, f"{error} (write it as package.module:NAME)") from error


def _checked(name: str, loaded: object) -> Extension:
    if not isinstance(loaded, Extension):
        raise ExtensionError(
            name, f"is {type(loaded).__name__}, not a conveyor.extension.Extension"
        )
    check(loaded)
    return loaded


def _require_new(kind: str, name: str, taken: list[str]) -> None:
    if name in taken:
        raise ExtensionError(name, f"the {kind} {name} is installed already")
