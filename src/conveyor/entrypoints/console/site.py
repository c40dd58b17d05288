"""The console's addresses, and what becomes of whoever asks for more than there is."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from conveyor.access.sessions import Sessions
from conveyor.core.errors import (
    CommitUnknownError,
    DatabaseUnavailableError,
    MissingFlowError,
    QueueUnavailableError,
)
from conveyor.entrypoints.console import (
    changes,
    clearing_page,
    desk_page,
    edit_page,
    faults_page,
    order_page,
    orders_page,
    overview_page,
    owed_page,
    pausing_page,
    queues_page,
    searches,
    sign_in,
    suggestions,
)
from conveyor.entrypoints.console.assets import asset
from conveyor.entrypoints.console.links import Links
from conveyor.entrypoints.console.pages import page
from conveyor.entrypoints.console.viewer import (
    ROOT,
    Console,
    SignInNeededError,
    is_asked_by_script,
    sign_in_path,
)
from conveyor.entrypoints.http.context import Api
from conveyor.entrypoints.http.problems import ProblemError
from conveyor.operations.archive import ArchiveMissingError
from conveyor.operations.missing_flows import ADVICE

log = logging.getLogger(__name__)

PAGES = (
    Route(ROOT, overview_page.overview),
    Route(f"{ROOT}/live", overview_page.live),
    Route(f"{ROOT}/orders", orders_page.orders),
    Route(ROOT + "/orders/{order_id}", order_page.order),
    Route(ROOT + "/orders/{order_id}/live", order_page.live),
    Route(ROOT + "/orders/{order_id}/edit", edit_page.form),
    Route(ROOT + "/orders/{order_id}/edit", edit_page.send, methods=["POST"]),
    Route(ROOT + "/orders/{order_id}/{change}", changes.ask),
    Route(ROOT + "/orders/{order_id}/{change}", changes.make, methods=["POST"]),
    Route(f"{ROOT}/dead-letters", desk_page.desk),
    Route(ROOT + "/dead-letters/{pile}", desk_page.pile),
    Route(ROOT + "/dead-letters/{pile}/plan", clearing_page.plan),
    Route(ROOT + "/dead-letters/{pile}/clear", clearing_page.clear, methods=["POST"]),
    Route(f"{ROOT}/searches", searches.save, methods=["POST"]),
    Route(f"{ROOT}/searches/forget", searches.forget, methods=["POST"]),
    Route(ROOT + "/suggestions/{field}", suggestions.suggest),
    Route(f"{ROOT}/owed", owed_page.owed_orders),
    Route(f"{ROOT}/queues", queues_page.queues),
    Route(ROOT + "/queues/{service}/{decision}", pausing_page.ask),
    Route(ROOT + "/queues/{service}/{decision}", pausing_page.decide, methods=["POST"]),
    Route(f"{ROOT}/faults", faults_page.faults),
    Route(f"{ROOT}/faults", faults_page.change, methods=["POST"]),
    Route(f"{ROOT}/faults/live", faults_page.live),
)
DOORS = (
    Route(ROOT + "/assets/{name}", asset),
    Route(f"{ROOT}/sign-in", sign_in.sign_in_page),
    Route(f"{ROOT}/sign-in", sign_in.sign_in, methods=["POST"]),
    Route(f"{ROOT}/sign-out", sign_in.sign_out, methods=["POST"]),
    Route(f"{ROOT}/enter", sign_in.enter),
    Route(f"{ROOT}/links", sign_in.new_link, methods=["POST"]),
)
_AWAY = (
    "The database or a queue does not answer, so nothing is known of the orders now. They are safe "
    "there, and go on once it is back."
)
_IN_DOUBT = "The connection was lost in the last moment: it may have been done or not. Look first."


def add_console(http: FastAPI, links: Links) -> None:
    """Put the console beside the API."""
    api: Api = http.state.api
    engine = api.app.engine
    sessions = Sessions(engine.database, engine.ambient, api.access, api.token)
    inner = Starlette(routes=[*DOORS, *PAGES], exception_handlers=_HANDLERS)
    inner.state.console = Console(api, sessions, links, api.overviews)
    inner.state.api = api
    inner.state.outer = http.state  # which is told when the process is to stop
    for path in (ROOT, ROOT + "/{page:path}"):
        http.router.routes.append(Route(path, inner, include_in_schema=False))


async def _sign_in_first(request: Request, _error: Exception) -> Response:
    if is_asked_by_script(request):
        return Response(status_code=HTTPStatus.UNAUTHORIZED)
    if request.headers.get("sec-fetch-site") == "cross-site" and request.method == "GET":
        # The cookie is not sent with a link on another site's page. From our own page it is.
        return page(request, "come_in.html", None, to=str(request.url.path))
    return RedirectResponse(sign_in_path(request), HTTPStatus.SEE_OTHER)


async def _problem(request: Request, error: ProblemError) -> Response:
    answer = _says(request, error.code.status, error.detail)
    answer.headers.update(error.headers or {})
    return answer


async def _http(request: Request, error: HTTPException) -> Response:
    return _says(request, error.status_code, "There is no such page.")


async def _missing_flow(request: Request, error: Exception) -> Response:
    return _says(request, HTTPStatus.CONFLICT, f"{error}. {ADVICE}")


async def _archive_missing(request: Request, error: ArchiveMissingError) -> Response:
    whole = request.state.grant.runs_the_system
    return _says(request, HTTPStatus.GONE, error.said_to(runs_the_system=whole))


async def _away(request: Request, error: Exception) -> Response:
    log.error("a page could not be shown: %s", error)
    return _says(request, HTTPStatus.SERVICE_UNAVAILABLE, _AWAY)


async def _in_doubt(request: Request, error: Exception) -> Response:
    log.error("a change was made, or was not: %s", error)
    return _says(request, HTTPStatus.SERVICE_UNAVAILABLE, _IN_DOUBT)


async def _bug(request: Request, _error: Exception) -> Response:
    # Raised once more after this, and logged with its traceback by whoever serves us.
    return _says(request, HTTPStatus.INTERNAL_SERVER_ERROR, "Something is wrong with the server.")


def _says(request: Request, status: int, detail: str) -> Response:
    if is_asked_by_script(request):  # which would put the answer in the place of what is there
        return Response(status_code=status)
    title = HTTPStatus(status).phrase
    return page(request, "problem.html", None, status=status, title=title, detail=detail)


_HANDLERS: dict[Any, Any] = {
    SignInNeededError: _sign_in_first,
    ProblemError: _problem,
    HTTPException: _http,
    MissingFlowError: _missing_flow,
    ArchiveMissingError: _archive_missing,
    DatabaseUnavailableError: _away,
    QueueUnavailableError: _away,
    CommitUnknownError: _in_doubt,
    Exception: _bug,
}
