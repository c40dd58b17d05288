"""What tells of a process that has no API: whether it lives, whether it can work, its figures.

Apart from the API, whose routes and schemas such a process has no use for.
"""

from __future__ import annotations

import secrets
from importlib.metadata import version

from fastapi import FastAPI

from conveyor.entrypoints.http import health
from conveyor.entrypoints.http.context import Api
from conveyor.entrypoints.http.headers import AnswerHeaders
from conveyor.entrypoints.http.problems import HANDLERS
from conveyor.entrypoints.http.routing import add_routes, known_routes
from conveyor.system.composition import App


def create_health(app: App) -> FastAPI:
    """Give what answers for the process that this system is open in."""
    http = FastAPI(
        title="Conveyor",
        version=version("conveyor"),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=HANDLERS,
    )
    http.add_middleware(AnswerHeaders)
    http.state.api = Api.over(app, None, secrets.token_bytes)
    add_routes(http, health.router)
    http.state.routes = known_routes(http, [health.router])
    return http
