"""Packages that extend us: whether they load."""

from __future__ import annotations

from conveyor.app.doctor.findings import Finding, fine
from conveyor.app.installation import installation
from conveyor.settings import Settings

CHECK = "extensions"


async def check(settings: Settings) -> list[Finding]:
    """Load all of them. Raises `ExtensionError`, which names the one that is wrong."""
    installed = installation(settings)
    flows = ", ".join(flow.key for flow in installed.flows)
    named = ", ".join(it.name for it in installed.added) or "none"
    return [fine(CHECK, named, f"flows: {flows}")]
