"""Packages that extend us: whether they load; and whether those are there that are bound."""

from __future__ import annotations

from conveyor.adapters.steady_clock import MachineClock
from conveyor.app.backends import SettingError
from conveyor.app.bindings import bindings
from conveyor.app.doctor.findings import Finding, failure, fine
from conveyor.app.installation import installation
from conveyor.app.opening import ambient_of
from conveyor.settings import Settings

CHECK = "extensions"


async def check(settings: Settings) -> list[Finding]:
    """Load all of them. Raises `ExtensionError`, which names the one that is wrong."""
    installed = installation(settings)
    ambient = ambient_of(MachineClock())
    try:
        bindings(settings, ambient, installed)
    except SettingError as error:
        return [failure(CHECK, error.name, error.cause, "processes do not start before")]
    flows = ", ".join(flow.key for flow in installed.flows)
    named = ", ".join(it.name for it in installed.added) or "none"
    return [fine(CHECK, named, f"flows: {flows}")]
