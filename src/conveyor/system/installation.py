"""What is installed: our flows and services, and those of the packages that extend us."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from conveyor.access.model import SCOPES
from conveyor.commerce.orders.bodies import Bodies
from conveyor.commerce.orders.intake_consumer import INTAKE
from conveyor.commerce.orders.model import OrderBody
from conveyor.commerce.payments.ports import Payer
from conveyor.core.queue import QueueSpec
from conveyor.core.routing_slip import Flow, service_of
from conveyor.core.step import StepHandler
from conveyor.extension import Dependencies, Extension, Port, Routes, no_loops
from conveyor.settings import Settings
from conveyor.system.built_in import built_in
from conveyor.system.extension_checks import ExtensionError, check, require_steps, steps_of
from conveyor.system.extension_loading import listed, load, running

__all__ = ["ExtensionError", "Installation", "installation"]

# The queue's own redrive is the backstop for what we never get to park: after as many receives
# as faults park an order, and as many again that leave no trace, there is something to spare.
REDRIVE_MARGIN = 5
INTAKE_RETENTION_SECONDS = 14 * 86_400
"""The longest that SQS keeps a message: one that was answered for is the only copy."""


@dataclass(frozen=True, slots=True)
class Installation:
    """All flows, services, queues and bodies of one deployment.

    `extensions` are ours, then `added`, those of other packages. `services` are those that Conveyor
    runs; `external` ones have a queue, and somebody else's process behind it.
    """

    extensions: tuple[Extension, ...]
    added: tuple[Extension, ...]
    flows: tuple[Flow, ...]
    services: tuple[str, ...]
    external: tuple[str, ...]
    queues: tuple[QueueSpec, ...]
    bodies: Bodies

    def steps(self, given: Dependencies) -> dict[str, StepHandler]:
        """Give the steps of all services. Raises `ExtensionError`."""
        steps: dict[str, StepHandler] = {}
        for extension in self.extensions:
            for service in extension.services:
                made = partial(steps_of, extension, service, given)
                steps |= running(extension.name, made)
        for extension in self.added:
            require_steps(extension, steps, (*self.services, *self.external))
        return steps

    def routes(self) -> list[Routes]:
        """Give the operations that flows bring. Raises `ExtensionError`."""
        found: list[Routes] = []
        for extension in self.extensions:
            given: list[object] = [*listed(extension.name, extension.routes)]
            for routes in given:
                if not isinstance(routes, Routes):
                    cause = f"its routes give {routes!r:.60}, which is no Routes"
                    raise ExtensionError(extension.name, cause)
                found.append(routes)
        return found

    def looping(self, flows: Collection[str]) -> Installation:
        """Give the same, in which only the loops of these flows' extensions run."""
        extensions = tuple(
            it if any(flow.name in flows for flow in it.flows) else replace(it, loops=no_loops)
            for it in self.extensions
        )
        return replace(self, extensions=extensions)

    @property
    def scopes(self) -> tuple[str, ...]:
        """Give those that keys may have."""
        return (*SCOPES, *(scope for it in self.extensions for scope in it.scopes))

    @property
    def payers(self) -> dict[str, Payer]:
        """Give who pays by charge, by the flow's name."""
        return {flow: payer for it in self.extensions for flow, payer in it.payers.items()}

    @property
    def ports(self) -> list[Port[Any]]:
        """Give all that are whom somebody calls, or uses."""
        return [port for it in self.extensions for port in it.ports]

    def callers(self, port: Port[Any]) -> list[str]:
        """Give the services that call it."""
        services = (service for it in self.extensions for service in it.services)
        return [service.name for service in services if service.calls == port]

    def of_flow(self, name: str) -> Extension | None:
        """Give the extension that brings the flow of this name; None: it is not installed."""
        having = (it for it in self.extensions if any(flow.name == name for flow in it.flows))
        return next(having, None)


def installation(settings: Settings, more: Iterable[Extension] = ()) -> Installation:
    """Load what the settings and the installed packages name, and `more`, for tests.

    Raises `ExtensionError`.
    """
    added = list(load(settings.extensions))
    for extension in more:
        check(extension)
        added += [] if extension in added else [extension]
    flows: list[Flow] = []
    fifo: dict[str, bool] = {}
    external: list[str] = []
    bodies: dict[str, type[OrderBody]] = {}
    for extension in (extensions := (*built_in(), *added)):
        for flow in extension.flows:
            _require_new(extension, "flow", flow.key, [installed.key for installed in flows])
            flows.append(flow)
        for service in extension.services:
            _require_new(extension, "service", service.name, [*fifo, INTAKE])
            fifo[service.name] = service.fifo
            external += [service.name] if service.external else []
        bodies |= extension.bodies
    read = Bodies(bodies, () if settings.address_optional else _to_addresses(extensions))
    ours = tuple(name for name in fifo if name not in external)
    queues = tuple(_queues(settings, fifo))
    return Installation(extensions, tuple(added), tuple(flows), ours, tuple(external), queues, read)


def _queues(settings: Settings, fifo: Mapping[str, bool]) -> Iterator[QueueSpec]:
    """Give the queue of each service, and the intake's."""
    each = partial(
        QueueSpec,
        visibility_seconds=settings.visibility_seconds,
        max_receives=2 * settings.max_receives + REDRIVE_MARGIN,
    )
    yield from (each(name, fifo=in_order) for name, in_order in fifo.items())
    yield each(INTAKE, durable=True, retention_seconds=INTAKE_RETENTION_SECONDS)


def _to_addresses(extensions: Iterable[Extension]) -> set[str]:
    """Give the flows with a step of a service that needs an address."""
    needing = {it.name for ext in extensions for it in ext.services if it.needs_address}
    return {
        flow.name
        for extension in extensions
        for flow in extension.flows
        if any(service_of(step.name) in needing for step in flow.steps)
    }


def _require_new(extension: Extension, kind: str, name: str, taken: list[str]) -> None:
    if name in taken:
        cause = f"the {kind} {name} is installed already: give this one another name"
        raise ExtensionError(extension.name, cause)
