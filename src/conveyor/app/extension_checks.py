"""What an extension may look like: found out when it is loaded, not when an order comes by."""

from __future__ import annotations

import re
from collections import Counter

from conveyor.extension import Extension, Service
from conveyor.messaging.ambient import Ambient
from conveyor.messaging.errors import ConveyorError
from conveyor.messaging.queue import DEAD_LETTER_SUFFIX
from conveyor.messaging.routing_slip import Flow
from conveyor.messaging.step import AnyStep

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
    for service in extension.services:
        if not SERVICE_NAME.fullmatch(service.name) or service.name.endswith(DEAD_LETTER_SUFFIX):
            cause = f"{service.name!r} cannot name a service: a-z first, then a-z, 0-9, _ and -"
            raise ExtensionError(extension.name, cause)
    for flow in extension.flows:
        if wrong := _wrong_with(flow):
            raise ExtensionError(extension.name, f"flow {flow.key}: {wrong}")
    own = {flow.name for flow in extension.flows}
    for name in extension.bodies:
        if name not in own:
            raise ExtensionError(extension.name, f"has a body for {name!r}, which is no flow of it")


def steps_of(extension: Extension, service: Service, ambient: Ambient) -> dict[str, AnyStep]:
    """Give a service's steps. Raises `ExtensionError` for one that is not named as its own."""
    given = service.steps
    steps = dict(given(ambient) if callable(given) else given)
    for name in steps:
        if name.partition(".")[0] != service.name:
            cause = f"the step {name!r} of service {service.name} must be named {service.name}.STEP"
            raise ExtensionError(extension.name, cause)
    return steps


def _wrong_with(flow: Flow) -> str:
    """Say what is wrong with a flow; '' when nothing is."""
    if not FLOW_NAME.fullmatch(flow.name) or flow.version < 1:
        return "a flow has a name of letters, digits, _, . and -, and a version from 1"
    if not flow.steps:
        return "it has no steps"
    names = Counter(line.name for line in flow.steps)
    if flow.cancel_until not in names:
        return f"cancel_until is {flow.cancel_until!r}, which is none of its steps"
    if names[flow.cancel_until] > 1:
        return f"cancel_until is {flow.cancel_until!r}, which is several of its steps"
    if flow.pivot and names[flow.pivot] != 1:
        return f"pivot is {flow.pivot!r}, which is not one of its steps"
    return ""
