"""Packages that extend us: whether they load; and whether those are there that are bound."""

from __future__ import annotations

from conveyor.adapters.steady_clock import MachineClock
from conveyor.operations.doctor.findings import Finding, failure, fine
from conveyor.settings import SettingError, Settings
from conveyor.system.installation import installation
from conveyor.system.opening import ambient_of
from conveyor.system.ports import ports_of

CHECK = "extensions"


async def check(settings: Settings) -> list[Finding]:
    """Load all of them. Raises `ExtensionError`, which names the one that is wrong."""
    installed = installation(settings)
    ambient = ambient_of(MachineClock())
    try:
        ports_of(settings, ambient, installed.extensions, {})
    except SettingError as error:
        return [failure(CHECK, error.name, error.cause, "processes do not start before")]
    flows = ", ".join(flow.key for flow in installed.flows)
    named = ", ".join(it.name for it in installed.added) or "none"
    return [fine(CHECK, named, f"flows: {flows}")]
