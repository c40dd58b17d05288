"""How the flows stand, and which services are paused: what several pages show."""

from __future__ import annotations

from conveyor.access.model import Grant
from conveyor.core.paused_services import PausedService
from conveyor.entrypoints.console.viewer import Console
from conveyor.operations.overview import Overview
from conveyor.operations.service_pauses import paused_now


async def flows_now(console: Console, grant: Grant) -> tuple[Overview, list[PausedService]]:
    """Give what a grant sees of the flows, and the services of which no step is taken now."""
    seen = await console.overviews.of(grant.sees)
    return seen, await paused_now(console.api.app)
