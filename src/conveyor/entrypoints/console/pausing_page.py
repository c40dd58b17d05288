"""Pausing a service, and letting it go on: asked for with what that does, then done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from conveyor.commerce.orders.model import SingleLine
from conveyor.core.actor import Actor
from conveyor.core.pauses import LOOK_SECONDS
from conveyor.entrypoints.console.pages import page
from conveyor.entrypoints.console.viewer import (
    ROOT,
    Viewer,
    console_of,
    form_of,
    operator_of,
    viewer_of,
)
from conveyor.entrypoints.http.problems import ProblemError, invalid, not_found
from conveyor.entrypoints.http.services import require_whole
from conveyor.operations.service_pauses import (
    ServiceState,
    pause_service,
    resume_service,
    service_states,
)
from conveyor.system.composition import App

QUEUES = f"{ROOT}/queues"
_LINE: TypeAdapter[str] = TypeAdapter(SingleLine)
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Decision:
    """What can be decided about a service: `does` says what that does, `make` does it."""

    verb: str
    does: str
    needs_reason: bool
    make: Callable[[App, str, Actor], Awaitable[bool]]


DECISIONS: Mapping[str, Decision] = {
    "pause": Decision(
        "Pause",
        "keeps its steps from being taken, by whichever process and until it is resumed; what is "
        f"in hand comes to its end, and each process knows within {LOOK_SECONDS:g} seconds. Orders "
        "are taken all the while, and their deadlines go on",
        needs_reason=True,
        make=pause_service,
    ),
    "resume": Decision(
        "Resume",
        "lets all that has waited for it be taken, as fast as it goes",
        needs_reason=False,
        make=resume_service,
    ),
}


async def ask(request: Request) -> Response:
    """Say what it does, and ask. Raises `ProblemError`."""
    viewer = await operator_of(request)
    return await _asking(request, viewer)


async def decide(request: Request) -> Response:
    """Do it. Raises `ProblemError`."""
    viewer = await viewer_of(request)
    sent = await form_of(request, viewer)
    state, decision = await _meant(request, viewer)
    try:
        why = _reason(sent, decision)
    except ProblemError as error:
        return await _asking(request, viewer, error.detail, error.code.status, sent)
    await decision.make(console_of(request).api.app, state.name, viewer.acting(why))
    return RedirectResponse(QUEUES, 303)


def _reason(sent: Mapping[str, str], decision: Decision) -> str:
    reason = sent.get("reason", "")
    if decision.needs_reason and not reason:
        raise invalid("reason", "is needed, for whoever finds the service paused")
    try:
        return _LINE.validate_python(reason)
    except ValidationError as error:
        raise invalid("reason", error.errors()[0]["msg"]) from None


async def _meant(request: Request, viewer: Viewer) -> tuple[ServiceState, Decision]:
    require_whole(viewer.grant)
    names = request.path_params
    states = await service_states(console_of(request).api.app)
    state = next((it for it in states if it.name == names["service"]), None)
    if state is None or names["decision"] not in DECISIONS:
        raise not_found("page")
    return state, DECISIONS[names["decision"]]


async def _asking(
    request: Request,
    viewer: Viewer,
    why: str = "",
    status: int = 200,
    sent: Mapping[str, str] = _NOTHING,
) -> Response:
    state, decision = await _meant(request, viewer)
    reason = sent.get("reason", "")
    shown = {"service": state, "decision": decision, "why": why, "reason": reason}
    return page(request, "pausing.html", viewer, status=status, **shown)
