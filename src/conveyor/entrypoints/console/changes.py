"""What can be done about an order: asked for with what it will do, and done as the API does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from conveyor.commerce.orders.model import SingleLine
from conveyor.core.answers import TAKEN
from conveyor.core.engine import Engine
from conveyor.core.interventions import Intervention
from conveyor.core.order import Order
from conveyor.core.untyped import Json
from conveyor.entrypoints.console.answer_form import answer_in, fields_of
from conveyor.entrypoints.console.order_page import answerable, story_of
from conveyor.entrypoints.console.pages import page
from conveyor.entrypoints.console.viewer import (
    ROOT,
    Console,
    Viewer,
    console_of,
    form_of,
    operator_of,
    viewer_of,
)
from conveyor.entrypoints.http.bodies import read_object
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.dead_letters import problem_of
from conveyor.entrypoints.http.problems import ProblemError, invalid, not_found
from conveyor.entrypoints.http.refunds import why_refused
from conveyor.operations import decisions, refunds
from conveyor.operations.answering import give_answer
from conveyor.operations.decisions import NotCancelled
from conveyor.operations.explain import Story
from conveyor.operations.refunds import NotRefunded

ANSWER = "answer"
NEEDED, OPTIONAL = "needed", "optional"
_NOTHING: Mapping[str, str] = MappingProxyType({})
_LINE: TypeAdapter[str] = TypeAdapter(SingleLine)
_GONE = "That is not possible any more: the order has moved on."
_OTHER = "The order has moved on since you were asked. This is what it does now."


@dataclass(frozen=True, slots=True)
class Change:
    """Something that can be done; `title` asks for it, `button` does it.

    Its `reason` is needed, or may be given.
    """

    title: str
    button: str
    reason: str
    make: Callable[[Engine, Order, Viewer, str], Awaitable[Intervention | None]]


async def _cancel(engine: Engine, order: Order, viewer: Viewer, reason: str) -> None:
    sees, by = viewer.grant.sees, viewer.acting()
    match await decisions.cancel(engine, order.id, sees, reason, by=by):
        case None:
            raise not_found("order")
        case NotCancelled(why):
            raise ProblemError(Code.TOO_LATE, f"It is too late to cancel. {why}")


async def _redrive(
    engine: Engine, order: Order, viewer: Viewer, reason: str
) -> Intervention | None:
    return await decisions.redrive(engine, order.id, viewer.grant.sees, by=viewer.acting(reason))


async def _retry(engine: Engine, order: Order, viewer: Viewer, reason: str) -> Intervention | None:
    return await decisions.retry(engine, order.id, viewer.grant.sees, by=viewer.acting(reason))


async def _compensate(
    engine: Engine, order: Order, viewer: Viewer, reason: str
) -> Intervention | None:
    sees, by = viewer.grant.sees, viewer.acting()
    return await decisions.compensate(engine, order.id, sees, reason, by=by)


async def _discard(
    engine: Engine, order: Order, viewer: Viewer, reason: str
) -> Intervention | None:
    sees, by = viewer.grant.sees, viewer.acting()
    return await decisions.discard(engine, order.id, sees, reason, by=by)


async def _refund(engine: Engine, order: Order, viewer: Viewer, reason: str) -> None:
    sees, by = viewer.grant.sees, viewer.acting()
    match await refunds.refund(engine, order.id, sees, reason, by=by):
        case None:
            raise not_found("order")
        case NotRefunded() as refused:
            raise why_refused(refused)


CHANGES: Mapping[str, Change] = {
    "cancel": Change("Cancel this order?", "Cancel the order", OPTIONAL, _cancel),
    "redrive": Change("Let this order try again?", "Redrive the order", OPTIONAL, _redrive),
    "retry": Change("Let this order try now?", "Retry now", OPTIONAL, _retry),
    "compensate": Change("Give up and undo this order?", "Undo the order", NEEDED, _compensate),
    "discard": Change("Discard this order?", "Discard the order", NEEDED, _discard),
    "refund": Change("Refund this order?", "Refund the order", NEEDED, _refund),
}


async def ask(request: Request) -> Response:
    """Say what a change will do, and ask whether to make it. Raises `ProblemError`."""
    viewer = await operator_of(request)
    return _asking(request, viewer, await story_of(request, viewer))


async def make(request: Request) -> Response:
    """Make a change, if it still does what was said. Raises `ProblemError`."""
    viewer = await viewer_of(request)
    sent = await form_of(request, viewer)
    story, name = await story_of(request, viewer), request.path_params["change"]
    if sent.get("does") != _does(console_of(request), story, name):
        return _asking(request, viewer, story, why=_OTHER, status=409)
    try:
        if name == ANSWER:
            await _answer(console_of(request), story, viewer, sent)
        else:
            await _decide(console_of(request), story.order, viewer, sent, CHANGES[name])
    except ProblemError as error:
        status = error.code.status
        return _asking(request, viewer, story, why=error.detail, status=status, sent=sent)
    return RedirectResponse(f"{ROOT}/orders/{story.order.id}?did={name}", 303)


async def _decide(
    console: Console, order: Order, viewer: Viewer, sent: Mapping[str, str], change: Change
) -> None:
    reason = sent.get("reason", "")
    if change.reason == NEEDED and not reason:
        raise invalid("reason", "is needed: it is kept in the order's story")
    try:
        _LINE.validate_python(reason)
    except ValidationError as error:
        raise invalid("reason", error.errors()[0]["msg"]) from None
    decided = await change.make(console.api.app.engine, order, viewer, reason)
    if decided is not None and (problem := problem_of(decided)):
        raise problem


async def _answer(console: Console, story: Story, viewer: Viewer, sent: Mapping[str, str]) -> None:
    asks = answerable(console, story)
    if asks is None:
        raise ProblemError(Code.NOT_AWAITED, _GONE)
    step, handler = asks
    raw = answer_in(handler.answer, sent)
    answer = read_object("answer", handler.answer, raw)
    app, order, by = console.api.app, story.order, viewer.acting()
    if await give_answer(app, order.id, step, answer, version=order.version, by=by) != TAKEN:
        raise ProblemError(Code.NOT_AWAITED, _GONE)


def _does(console: Console, story: Story, name: str) -> str | None:
    """Say what a change does to the order as it is; None: it cannot be made."""
    if name == ANSWER:
        asks = answerable(console, story)
        return f"answers {asks[0]}, and lets the order go on" if asks else None
    return next((it.does for it in story.choices if it.what == name), None)


def _asking(
    request: Request,
    viewer: Viewer,
    story: Story,
    *,
    why: str = "",
    status: int = 200,
    sent: Mapping[str, str] = _NOTHING,
) -> Response:
    console, name = console_of(request), request.path_params["change"]
    if name != ANSWER and name not in CHANGES:
        raise not_found("change")
    does = _does(console, story, name)
    asks = answerable(console, story) if name == ANSWER else None
    shown: dict[str, Json] = {
        "story": story,
        "order": story.order,
        "does": does,
        "why": _GONE if does is None else why,
        "reason": sent.get("reason", ""),
        "change": CHANGES.get(name),
        "step": asks[0] if asks else "",
        "fields": fields_of(asks[1].answer) if asks else [],
    }
    return page(request, "change.html", viewer, status=409 if does is None else status, **shown)
