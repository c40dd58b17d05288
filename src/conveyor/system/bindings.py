"""What whoever is outside says of its calls: how long one may take, and how many may be at once."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from conveyor.core.providers import MAX_CALL_SECONDS, CallLimits, Providers
from conveyor.extension import Extension, Port, Ports
from conveyor.settings import SettingError

log = logging.getLogger(__name__)

SECONDS = "call_seconds"
AT_ONCE = "calls_at_once"


def bind(
    providers: Providers, extensions: Iterable[Extension], ports: Ports, visibility_seconds: float
) -> None:
    """Bind each service to whom it calls; those who call one share its slots and its breaker.

    Raises `SettingError`.
    """
    callers: dict[Port[Any], list[str]] = defaultdict(list)
    for extension in extensions:
        for service in extension.services:
            if service.calls is not None:
                callers[service.calls].append(service.name)
    for port, services in callers.items():
        limits = limits_of(port, ports[port], providers.limits)
        providers.bind(port.name, limits, services)
        if limits.seconds > visibility_seconds:
            log.warning(
                "a call to the %s may take %g s, and its message is seen again after %g s when its "
                "worker stands still: set CONVEYOR_VISIBILITY_SECONDS to that or more",
                port.name,
                limits.seconds,
                visibility_seconds,
            )


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
