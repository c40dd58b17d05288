"""Puts the API together for one system."""

from __future__ import annotations

import secrets
from importlib.metadata import version

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute

from conveyor.app.audits import Audits
from conveyor.app.composition import App
from conveyor.app.summary import Summaries
from conveyor.entrypoints.http import (
    answers,
    dead_letters,
    events,
    health,
    inbound,
    keys,
    orders,
    renewals,
    reports,
    resources,
    restaurants,
    riders,
    stock,
    subscriptions,
)
from conveyor.entrypoints.http.actions import ActionLog
from conveyor.entrypoints.http.context import Api, known_query
from conveyor.entrypoints.http.described import all_codes
from conveyor.entrypoints.http.documentation import add_docs, describe, operation_id
from conveyor.entrypoints.http.headers import AnswerHeaders
from conveyor.entrypoints.http.placing import add_placing
from conveyor.entrypoints.http.problems import HANDLERS
from conveyor.entrypoints.http.rates import Rates
from conveyor.entrypoints.http.readiness import Readiness
from conveyor.services.access.access import Access
from conveyor.services.access.model import LocalKey, Token

DESCRIPTION = """\
Takes an order, answers at once, and carries it from service to service until it is completed,
or undone and the money given back. Money is integer minor units.
`Authorize` takes the API key that `conveyor up` shows at its first start.

Errors are problem+json, each with one of these codes. An operation tells which it may answer;
`internal` and `method_not_allowed` any may.

"""
ROUTERS = (
    orders,
    events,
    answers,
    stock,
    dead_letters,
    reports,
    keys,
    restaurants,
    riders,
    resources,
    subscriptions,
    renewals,
    inbound,
    health,
)


def create_http(
    app: App, *, local: LocalKey | None = None, token: Token = secrets.token_bytes
) -> FastAPI:
    """Give the API over an open system.

    `local` is the key of whoever owns the data directory, `token` the source of new keys.
    """
    http = FastAPI(
        title="Conveyor",
        version=version("conveyor"),
        description=DESCRIPTION + all_codes(),
        generate_unique_id_function=operation_id,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=HANDLERS,
    )
    http.add_middleware(AnswerHeaders)
    http.add_middleware(ActionLog)
    engine = app.engine
    access = Access(engine.database, engine.ambient, local)
    summaries = Summaries(engine.database, engine.ambient)
    rates = Rates(app.settings, engine.ambient)
    http.state.api = Api(app, access, summaries, Audits(app), Readiness(engine), token, rates)
    add_placing(http)
    for module in ROUTERS:
        http.include_router(module.router, dependencies=[Depends(known_query)])
    add_docs(http)
    routers = (http.router, *(module.router for module in ROUTERS))
    http.state.routes = [
        route for router in routers for route in router.routes if isinstance(route, APIRoute)
    ]
    describe(http, app.installed)
    return http
