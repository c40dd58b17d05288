"""Breaking things on purpose, and watching what comes of it: where nothing is real."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from conveyor.adapters.faults import Fault
from conveyor.core.untyped import Json
from conveyor.entrypoints.console.flows_now import flows_now
from conveyor.entrypoints.console.pages import FAULTS, page, render
from conveyor.entrypoints.console.streams import stream
from conveyor.entrypoints.console.viewer import Viewer, console_of, form_of, viewer_of
from conveyor.entrypoints.http.problems import not_found
from conveyor.operations.faults import faults_of, switch

YES = "yes"


async def faults(request: Request) -> Response:
    """Show what can be broken. Raises `ProblemError`."""
    viewer = await viewer_of(request)
    return page(request, "faults.html", viewer, **await _shown(request, viewer))


async def live(request: Request) -> Response:
    """Show it again whenever it has changed. Raises `ProblemError`."""
    viewer = await viewer_of(request)
    _present(request)

    async def look() -> str:
        return render("faults_live.html", viewer=viewer, **await _shown(request, viewer))

    return await stream(request, viewer, look)


async def change(request: Request) -> Response:
    """Break something, or let it work again; without a name, all of it. Raises `ProblemError`."""
    viewer = await viewer_of(request)
    sent, there = await form_of(request, viewer), _present(request)
    name, on = sent.get("fault", ""), sent.get("on") == YES
    wanted = [it for it in there if it.name == name] if name else there
    if not wanted or (on and not name):
        raise not_found("fault")
    await switch(console_of(request).api.app, wanted, on=on, by=viewer.acting())
    return RedirectResponse(FAULTS[1], 303)


def _present(request: Request) -> tuple[Fault, ...]:
    there = faults_of(console_of(request).api.app)
    if not there:
        raise not_found("page")
    return there


async def _shown(request: Request, viewer: Viewer) -> dict[str, Json]:
    console = console_of(request)
    seen, held = await flows_now(console, viewer.grant)
    retries = console.api.app.engine.retries
    return {"faults": _present(request), "seen": seen, "paused": held, "retries": retries}
