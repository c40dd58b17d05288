"""The first page: whether orders flow, where they stand, and who works on them."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from conveyor.access.model import Grant
from conveyor.core.paused_services import PausedService
from conveyor.core.untyped import Json
from conveyor.entrypoints.console.flows_now import flows_now
from conveyor.entrypoints.console.pages import page, render
from conveyor.entrypoints.console.streams import stream
from conveyor.entrypoints.console.viewer import console_of, viewer_of
from conveyor.operations.overview import Overview

MOST_REASONS = 6
NOTHING_KNOWN: list[list[float | None]] = [[0.0, None, None, None, None]]


async def overview(request: Request) -> Response:
    """Show it."""
    viewer = await viewer_of(request)
    seen, held = await flows_now(console_of(request), viewer.grant)
    return page(request, "overview.html", viewer, **_shown(seen, held, viewer.grant))


async def live(request: Request) -> Response:
    """Show it again whenever it has changed."""
    viewer = await viewer_of(request)
    console = console_of(request)

    async def look() -> str:
        seen, held = await flows_now(console, viewer.grant)
        return render("overview_live.html", **_shown(seen, held, viewer.grant))

    return await stream(request, viewer, look)


def _shown(seen: Overview, held: list[PausedService], grant: Grant) -> dict[str, Json]:
    series = [
        [moment.at / 1000, moment.placed, moment.ended, moment.p50, moment.p99]
        for moment in seen.moments
    ] or NOTHING_KNOWN
    return {
        "seen": seen,
        "paused": held,
        "reasons": seen.refused[:MOST_REASONS],
        "series": orjson.dumps([list(column) for column in zip(*series, strict=True)]).decode(),
        # Who runs the system may know its machines; a merchant of many need not.
        "workers": seen.workers if grant.runs_the_system else None,
    }
