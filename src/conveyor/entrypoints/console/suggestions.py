"""Suggestions for what is written into a field of the search: what there is to be found."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from conveyor.entrypoints.console.finding import wrong_in
from conveyor.entrypoints.console.pages import HEADERS, render
from conveyor.entrypoints.console.viewer import console_of, viewer_of
from conveyor.entrypoints.http.problems import not_found
from conveyor.operations import suggestions

FIELDS = ("reason", "sku")


async def suggest(request: Request) -> Response:
    """Give them as the options of a list. Raises `ProblemError`."""
    viewer, app = await viewer_of(request), console_of(request).api.app
    name, sees = request.path_params["field"], viewer.grant.sees
    if name not in FIELDS:
        raise not_found("page")
    written = request.query_params.get(name, "").strip()
    if wrong_in({name: written} if written else {}):
        values = []  # nobody can look for that
    elif name == "reason":
        values = await suggestions.reasons(app, sees)
    else:
        values = await suggestions.skus(app, sees, written)
    return HTMLResponse(render("options.html", values=values), 200, HEADERS)
