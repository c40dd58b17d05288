"""What tells of a process that has no API: whether it lives, whether it can work, its figures.

Apart from the API, whose routes and schemas such a process has no use for.
"""

from __future__ import annotations

import secrets
from importlib.metadata import version

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute

from conveyor.entrypoints.http import health
from conveyor.entrypoints.http.context import Api, known_query
from conveyor.entrypoints.http.headers import AnswerHeaders
from conveyor.entrypoints.http.problems import HANDLERS
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
    http.include_router(health.router, dependencies=[Depends(known_query)])
    http.state.routes = [it for it in health.router.routes if isinstance(it, APIRoute)]
    return http
