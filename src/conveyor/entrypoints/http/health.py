"""What this is, whether it lives, whether it can work, its figures. None of these needs a key."""

from __future__ import annotations

from fastapi import Request, Response

from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import TheApi
from conveyor.entrypoints.http.described import problems
from conveyor.entrypoints.http.problems import ProblemError
from conveyor.entrypoints.http.report_schemas import Health, Program
from conveyor.entrypoints.http.routing import ApiRouter

METRICS_TYPES = ("text/plain", "application/openmetrics-text")

router = ApiRouter(tags=["health"])


@router.get("/", responses=problems(Code.INVALID))
async def show_program(request: Request) -> Program:
    """Say what this is, and where to go on."""
    return Program(version=request.app.version)


@router.get("/healthz", responses=problems(Code.INVALID))
async def show_health() -> Health:
    """Answer: the process lives."""
    return Health()


@router.get("/readyz", responses=problems(Code.INVALID, Code.NOT_READY))
async def show_readiness(api: TheApi) -> Health:
    """Write to the database, ask queue and supervisor; 503 names what does not answer or go on."""
    errors = await api.readiness.errors()
    if errors:
        detail = "; ".join(f"{error.field}: {error.message}" for error in errors)
        raise ProblemError(Code.NOT_READY, detail, errors)
    return Health()


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {it: {"schema": {"type": "string"}} for it in METRICS_TYPES}},
        **problems(Code.INVALID),
    },
)
async def show_metrics(request: Request) -> Response:
    """Give the figures of this process, of the database and of the queues, for Prometheus."""
    from conveyor.entrypoints.http.metrics import metrics_of

    text, media_type = await metrics_of(request.app).text(request.headers.get("accept", ""))
    return Response(text, media_type=media_type)
