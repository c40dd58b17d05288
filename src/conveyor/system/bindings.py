"""Who calls whom, and what whoever is called says of it: how long it takes, how many at once."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from conveyor.core.providers import (
    NO_STEPS,
    Called,
    CallLimits,
    Provider,
    Providers,
)
from conveyor.core.step import CallStep
from conveyor.core.time_limits import MAX_CALL_SECONDS
from conveyor.extension import Dependencies, Extension, Port, Service
from conveyor.settings import SettingError
from conveyor.system.extension_checks import steps_of
from conveyor.system.installation import Installation
from conveyor.system.named_ports import Instead
from conveyor.system.ports import OpenPorts

log = logging.getLogger(__name__)

SECONDS = "call_seconds"
AT_ONCE = "calls_at_once"
Callers = list[tuple[Extension, Service]]


def bind(
    providers: Providers, installed: Installation, given: Dependencies, ports: OpenPorts
) -> None:
    """Bind each service to whom it calls; those who call one share its slots and its breaker.

    Raises `SettingError`.
    """
    for port, callers in _callers(installed).items():
        providers.bind(_called(port, callers, providers, given, ports))


def _called(
    port: Port[Any], callers: Callers, providers: Providers, given: Dependencies, ports: OpenPorts
) -> Called:
    def make(name: str, it: Port[Any]) -> Provider:
        limits = _limits(it, providers, given, ports)
        instead = replace(given, ports=Instead(ports, port, it))
        steps = NO_STEPS if it is port else dict(_steps(callers, instead))
        return providers.make(it.name, limits, steps, name)

    services = [service.name for _, service in callers]
    return Called(port.name, services, ports.named(port).each(make))


def _callers(installed: Installation) -> dict[Port[Any], Callers]:
    found: dict[Port[Any], Callers] = defaultdict(list)
    for extension in installed.extensions:
        for service in extension.services:
            if service.calls is not None:
                found[service.calls].append((extension, service))
    return found


def _steps(callers: Callers, given: Dependencies) -> Iterator[tuple[str, CallStep[Any, Any]]]:
    """Make the steps of these services that call out anew, for another whom they call."""
    for extension, service in callers:
        for name, step in steps_of(extension, service, given).items():
            if isinstance(step, CallStep):
                yield name, step


def _limits(
    port: Port[Any], providers: Providers, given: Dependencies, ports: OpenPorts
) -> CallLimits:
    limits = limits_of(port, ports[port], providers.limits)
    visible = given.settings.visibility_seconds
    if limits.seconds > visible:
        log.warning(
            "a call to the %s may take %g s, and its message is seen again after %g s when its "
            "worker stands still: set CONVEYOR_VISIBILITY_SECONDS to that or more",
            port.name,
            limits.seconds,
            visible,
        )
    return limits


def limits_of(port: Port[Any], opened: object, default: CallLimits) -> CallLimits:
    """Give what whoever was opened says, and the default for what it does not. `SettingError`."""
    seconds = getattr(opened, SECONDS, default.seconds)
    at_once = getattr(opened, AT_ONCE, default.at_once)
    name = port.setting or port.name
    if not isinstance(seconds, int | float) or not 0 < seconds <= MAX_CALL_SECONDS:
        cause = f"its {SECONDS} are {seconds!r:.60}: from 0 to {MAX_CALL_SECONDS:g}, and not 0"
        raise SettingError(name, cause)
    if not isinstance(at_once, int) or at_once < 1:
        raise SettingError(name, f"its {AT_ONCE} is {at_once!r:.60}: a number from 1")
    return CallLimits(float(seconds), at_once)
