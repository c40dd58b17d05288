"""Puts the API together for one system."""

from __future__ import annotations

import secrets
from importlib.metadata import version

from fastapi import FastAPI

from conveyor.access.model import LocalKey, Token
from conveyor.core.measures import CALL_SECONDS, Histograms
from conveyor.entrypoints.http import (
    answers,
    archive,
    customers,
    dead_letters,
    draining,
    events,
    health,
    inbound,
    keys,
    operators,
    orders,
    overview,
    previews,
    refunds,
    reports,
    retrying,
    services,
)
from conveyor.entrypoints.http.actions import ActionLog
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import Api
from conveyor.entrypoints.http.dead_letter_schemas import ReasonBody
from conveyor.entrypoints.http.described import listed
from conveyor.entrypoints.http.documentation import add_docs, describe
from conveyor.entrypoints.http.headers import AnswerHeaders
from conveyor.entrypoints.http.key_schemas import KeyBody
from conveyor.entrypoints.http.placing import add_placing
from conveyor.entrypoints.http.problems import HANDLERS
from conveyor.entrypoints.http.request_figures import RequestFigures
from conveyor.entrypoints.http.routing import add_routes, known_routes, operation_id
from conveyor.entrypoints.http.traced_requests import TracedRequests
from conveyor.extension import Routes
from conveyor.system.composition import App

DESCRIPTION = """\
Takes an order, answers at once, and carries it from service to service until it is completed,
or undone and the money given back. Money is integer minor units.
`Authorize` takes the API key that `conveyor up` shows at its first start.

Errors are problem+json, each with one of these codes. An operation tells which it may answer;
`internal` and `method_not_allowed` any may.

"""
OURS = (
    Routes(previews.router),  # before orders, of which it would be one
    Routes(orders.router, {"orders": "Placing orders, looking at them, cancelling them."}),
    Routes(events.router),
    Routes(answers.router),
    Routes(refunds.router),
    Routes(retrying.router),
)
FURTHER = (
    Routes(draining.router),
    Routes(dead_letters.router, {"dead letters": "What waits for an operator."}, (ReasonBody,)),
    Routes(customers.router, {"customers": "What a customer may ask for."}, (customers.EraseBody,)),
    Routes(
        archive.router, {"archive": "What was moved out of the database."}, (archive.ArchiveBody,)
    ),
    Routes(operators.router, {"operators": "Who did what."}),
    Routes(reports.router, {"reports": "How things stand."}),
    Routes(overview.router),
    Routes(services.router, {"services": "Which are paused."}),
    Routes(keys.router, {"keys": "Who may do what."}, (KeyBody,)),
    Routes(inbound.router),
    Routes(health.router, {"health": "For load balancers and Prometheus."}),
)
"""After those of the flows."""


def create_http(
    app: App, *, local: LocalKey | None = None, token: Token = secrets.token_bytes
) -> FastAPI:
    """Give the API over an open system.

    `local` is the key of whoever owns the data directory, `token` the source of new keys.
    """
    all_routes = (*OURS, *app.installed.routes(), *FURTHER)
    codes = (*Code, *(code for routes in all_routes for code in routes.codes))
    http = FastAPI(
        title="Conveyor",
        version=version("conveyor"),
        description=DESCRIPTION + listed(codes),
        generate_unique_id_function=operation_id,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=HANDLERS,
    )
    http.add_middleware(AnswerHeaders)
    http.add_middleware(ActionLog)
    http.state.requests = Histograms(CALL_SECONDS)
    measures = app.engine.measures
    http.add_middleware(RequestFigures, seconds=http.state.requests, measures=measures)
    if app.engine.traces is not None:
        http.add_middleware(TracedRequests, traces=app.engine.traces)
    http.state.api = Api.over(app, local, token)
    add_placing(http)
    for routes in all_routes:
        add_routes(http, routes.router)
    add_docs(http)
    http.state.routes = known_routes(http, [routes.router for routes in all_routes])
    describe(http, app.installed, all_routes, codes)
    return http
