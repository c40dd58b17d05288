"""Services: which are paused; pausing them, and letting them go on."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Path
from pydantic import BaseModel, Field

from conveyor.access.model import Grant
from conveyor.commerce.orders.model import SingleLine
from conveyor.core.paused_services import PausedService
from conveyor.core.pauses import LOOK_SECONDS
from conveyor.core.rfc3339 import iso
from conveyor.entrypoints.http.bodies import body_is, body_of
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import Acting, Api, Operator, TheApi
from conveyor.entrypoints.http.dead_letter_schemas import ReasonBody
from conveyor.entrypoints.http.described import BODY, changing, looking
from conveyor.entrypoints.http.problems import ProblemError, invalid
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import Time
from conveyor.operations import service_pauses
from conveyor.operations.service_pauses import ServiceState, UnknownServiceError, service_states

router = ApiRouter("/v1/services", tags=["services"], responses=looking())

Name = Annotated[SingleLine, Path(description="As `GET /v1/services` names it.")]
_NOT_YOURS = (
    "A service carries the orders of all merchants: to pause it, or let it go on, takes a key that "
    "has both scopes `operate` and `audit`."
)


class PauseView(BaseModel):
    """A service that is paused: orders are taken, and its steps are not."""

    service: str
    since: Time
    by: str | None = Field(description="Told to keys that have the scope `audit` too.")
    why: str


class ServiceView(BaseModel):
    """A service."""

    name: str
    paused: PauseView | None
    workers: int | None = Field(description="Processes that live and serve it; null: not told.")


class Services(BaseModel):
    """All services of this deployment."""

    services: list[ServiceView]


class Changed(BaseModel):
    """What was done. Each process sees it within `within_seconds`; what it has in hand ends."""

    service: ServiceView
    changed: bool = Field(description="False: it was so already.")
    within_seconds: float


@router.get("")
async def list_services(api: TheApi, grant: Operator) -> Services:
    """List the services, and say which are paused: since when, by whom and why."""
    found = await service_states(api.app)
    return Services(services=[service_view(it, grant) for it in found])


@router.post(
    "/{name}/pause",
    responses=changing(*BODY, Code.NOT_FOUND),
    openapi_extra=body_is(ReasonBody, {"reason": "the bank calls back at nine"}),
)
async def pause_service(
    api: TheApi,
    grant: Operator,
    by: Acting,
    name: Name,
    body: Annotated[ReasonBody, Depends(body_of(ReasonBody))],
) -> Changed:
    """Pause a service: orders are taken, its steps are not. What is under way comes to its end.

    It holds for all processes, also those that are started later, until the service is resumed.
    Deadlines of orders go on meanwhile.
    """
    require_whole(grant)
    if not body.reason.strip():
        raise invalid("reason", "is needed, for whoever finds the service paused")
    try:
        did = await service_pauses.pause_service(api.app, name, replace(by, why=body.reason))
    except UnknownServiceError as error:
        raise ProblemError(Code.NOT_FOUND, str(error)) from None
    return await _changed(api, grant, name, changed=did)


@router.post("/{name}/resume", responses=changing(Code.NOT_FOUND))
async def resume_service(api: TheApi, grant: Operator, by: Acting, name: Name) -> Changed:
    """Let a service go on: what has waited for it is taken."""
    require_whole(grant)
    try:
        did = await service_pauses.resume_service(api.app, name, by)
    except UnknownServiceError as error:
        raise ProblemError(Code.NOT_FOUND, str(error)) from None
    return await _changed(api, grant, name, changed=did)


def require_whole(grant: Grant) -> None:
    """Raise `ProblemError` for a key that is one merchant's alone."""
    if not grant.runs_the_system:
        raise ProblemError(Code.FORBIDDEN, _NOT_YOURS)


def service_view(it: ServiceState, grant: Grant) -> ServiceView:
    """Show a service."""
    whole = grant.runs_the_system
    paused = pause_view(it.paused, grant) if it.paused else None
    return ServiceView(name=it.name, paused=paused, workers=it.workers if whole else None)


def pause_view(it: PausedService, grant: Grant) -> PauseView:
    """Show that a service is paused."""
    by = it.by if grant.runs_the_system else None
    return PauseView(service=it.service, since=iso(it.since), by=by, why=it.why)


async def _changed(api: Api, grant: Grant, name: str, *, changed: bool) -> Changed:
    states = {it.name: it for it in await service_states(api.app)}
    view = service_view(states.get(name, ServiceState(name, None, 0)), grant)
    return Changed(service=view, changed=changed, within_seconds=LOOK_SECONDS)
