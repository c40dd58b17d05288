"""What an extension may look like: found out when it is loaded, not when an order comes by."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from conveyor.core.errors import ConveyorError
from conveyor.core.queue import DEAD_LETTER_SUFFIX
from conveyor.core.routing_slip import Flow, service_of
from conveyor.core.step import LocalStep, StepHandler
from conveyor.extension import Dependencies, Extension, ExternalStep, Service
from conveyor.system.extension_shapes import misshapen, no_step

# A service's name is that of its queue: of SQS's 80 characters, prefix and endings need some.
SERVICE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
FLOW_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class ExtensionError(ConveyorError):
    """An extension cannot be loaded; `name` is what named it."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(f"extension {name}: {cause}")
        self.name = name
        self.cause = cause


def check(extension: Extension) -> None:
    """Raises `ExtensionError` with the first thing that is wrong."""
    for wrong in misshapen(extension):
        raise ExtensionError(extension.name, wrong)
    for service in extension.services:
        if not SERVICE_NAME.fullmatch(service.name) or service.name.endswith(DEAD_LETTER_SUFFIX):
            cause = f"{service.name!r} cannot name a service: a-z first, then a-z, 0-9, _ and -"
            raise ExtensionError(extension.name, cause)
        if service.external and service.fifo:
            # Turns are given out by whoever takes a step, and that is not us.
            cause = f"the service {service.name} is external, and cannot be FIFO"
            raise ExtensionError(extension.name, cause)
    for flow in extension.flows:
        for wrong in _wrong_with(flow):
            raise ExtensionError(extension.name, f"flow {flow.key}: {wrong}")
    own = {flow.name for flow in extension.flows}
    for what, named in (("a body for", extension.bodies), ("lives of", extension.lives)):
        if others := [name for name in named if name not in own]:
            cause = f"has {what} {others[0]!r}, which is no flow of it"
            raise ExtensionError(extension.name, cause)


def steps_of(extension: Extension, service: Service, given: Dependencies) -> dict[str, StepHandler]:
    """Give a service's steps. Raises `ExtensionError` for one that is none, or not its own."""
    made = service.steps
    steps = dict(made(given) if callable(made) else made)
    for name, step in steps.items():
        if name.partition(".")[0] != service.name:
            cause = f"the step {name!r} of service {service.name} must be named {service.name}.STEP"
            raise ExtensionError(extension.name, cause)
        if wrong := no_step(step):
            raise ExtensionError(extension.name, f"the step {name!r} {wrong}")
        if isinstance(step, ExternalStep) != service.external:
            cause = f"all steps of an external service are ExternalStep, and no others: {name!r}"
            raise ExtensionError(extension.name, cause)
    return steps


def require_steps(
    extension: Extension, steps: Mapping[str, StepHandler], services: Collection[str]
) -> None:
    """Raises `ExtensionError` for the first step of its flows that nobody has."""
    for flow in extension.flows:
        for line in flow.steps:
            named = {line.name: "", line.undo: f", the undo of {line.name}"}
            named |= dict.fromkeys(line.also, f", taken along with {line.name}")
            for name, role in named.items():
                if name and name not in steps:
                    cause = f"flow {flow.key}: there is no step {name!r}{role}"
                    near = _near(name, steps, services)
                    raise ExtensionError(extension.name, f"{cause}; {near}")
            for name in line.also:
                if not isinstance(steps[name], LocalStep):
                    cause = f"flow {flow.key}: {name!r} is taken along with {line.name}"
                    raise ExtensionError(extension.name, f"{cause}: only a LocalStep can be")


def _near(name: str, steps: Mapping[str, StepHandler], services: Collection[str]) -> str:
    """Say what may have been meant."""
    if near := get_close_matches(name, steps, n=1):
        return f"did you mean {near[0]!r}?"
    service = service_of(name)
    if service not in services:
        return f"no service {service!r} is installed; there are {', '.join(services)}"
    return f"service {service} has {', '.join(s for s in steps if service_of(s) == service)}"


def _wrong_with(flow: Flow) -> Iterator[str]:
    if not FLOW_NAME.fullmatch(flow.name) or flow.version < 1:
        yield "a flow has a name of letters, digits, _, . and -, and a version from 1"
    if not flow.steps:
        yield "it has no steps"
    names = Counter(line.name for line in flow.steps)
    if flow.cancel_until not in names:
        yield f"cancel_until is {flow.cancel_until!r}, which is none of its steps"
    if names[flow.cancel_until] > 1:
        yield f"cancel_until is {flow.cancel_until!r}, which is several of its steps"
    if flow.pivot and names[flow.pivot] != 1:
        yield f"pivot is {flow.pivot!r}, which is not one of its steps"
    if flow.fee and flow.fee.after not in names:
        yield f"its fee is after {flow.fee.after!r}, which is none of its steps"
