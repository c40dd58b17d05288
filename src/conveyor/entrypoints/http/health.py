"""Whether the process lives, whether it can work, and its figures. None of these needs a key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response

from conveyor.entrypoints.http.context import Api, TheApi
from conveyor.entrypoints.http.described import problems
from conveyor.entrypoints.http.problems import FieldError, ProblemError
from conveyor.entrypoints.http.report_schemas import Health
from conveyor.services.orders.intake_consumer import INTAKE

READY_SECONDS = 2.0
"""How long the database and the queue may take to answer."""
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

log = logging.getLogger(__name__)
router = APIRouter(tags=["health"])


@router.get("/healthz")
async def is_alive() -> Health:
    """Answer: the process lives."""
    return Health()


@router.get("/readyz", responses=problems(503, keyed=False))
async def is_ready(api: TheApi) -> Health:
    """Ask the database, the queue and the supervisor; 503 names what does not answer or go on."""
    wrong = await asyncio.gather(
        _ask("database", _database(api)), _ask("queue", api.app.engine.queues.queue(INTAKE).depth())
    )
    ended = api.app.engine.supervisor.unsteady()
    errors = [error for error in wrong if error]
    errors += [FieldError(field=name, message=f"ended: {why}") for name, why in ended.items()]
    if errors:
        detail = "; ".join(f"{error.field}: {error.message}" for error in errors)
        raise ProblemError(503, "not_ready", detail, errors)
    return Health()


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def show_metrics(request: Request, api: TheApi) -> Response:
    """Give the figures of this process, of the database and of the queues, for Prometheus."""
    metrics = getattr(request.app.state, "metrics", None)
    if metrics is None:
        from conveyor.entrypoints.http.metrics import Metrics

        metrics = request.app.state.metrics = Metrics(api.app, api.summaries)
    return Response(await metrics.text(), media_type=METRICS_TYPE)


async def _database(api: Api) -> None:
    await api.app.engine.database.read(lambda tx: tx.execute(sa.select(1)).scalar_one())


async def _ask(name: str, answer: Awaitable[object]) -> FieldError | None:
    try:
        await asyncio.wait_for(answer, READY_SECONDS)
    except TimeoutError:
        return FieldError(field=name, message=f"does not answer within {READY_SECONDS:g} s")
    except Exception:
        log.exception("not ready: the %s does not answer", name)
        return FieldError(field=name, message="does not answer")
    return None
