"""Queues, services and those outside: what waits for whom, and who is paused."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from conveyor.core.untyped import Json
from conveyor.entrypoints.console.pages import page
from conveyor.entrypoints.console.viewer import console_of, viewer_of
from conveyor.operations.queue_states import group_blockers, provider_states, queue_states
from conveyor.operations.service_pauses import service_states
from conveyor.operations.traffic import traffic
from conveyor.system.composition import App


async def queues(request: Request) -> Response:
    """Show them as they are now; it is not drawn again, since on SQS each look costs."""
    viewer, app = await viewer_of(request), console_of(request).api.app
    services = await service_states(app)
    return page(
        request,
        "queues.html",
        viewer,
        services=services,
        paused=[it.paused for it in services if it.paused],
        blockers=await group_blockers(app.engine, viewer.grant.sees),
        now=app.engine.ambient.now_ms(),
        # Queues hold the orders of all merchants: for whoever runs the system.
        whole=await _whole(app) if viewer.grant.runs_the_system else None,
    )


async def _whole(app: App) -> dict[str, Json]:
    return {
        "queues": await queue_states(app.engine),
        "providers": await provider_states(app.engine),
        "traffic": await traffic(app),
    }
