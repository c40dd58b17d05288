"""The door for answers to steps that await somebody: an approval, a reading, a phone call."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request

from conveyor.access.model import OPERATE
from conveyor.core.answers import TAKEN, UNKNOWN_ORDER
from conveyor.core.message import MAX_STEP_LENGTH, MAX_VERSION
from conveyor.core.order import Order
from conveyor.entrypoints.http.bodies import read_body, read_object
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import Acting, Answerer, TheApi
from conveyor.entrypoints.http.described import BODY, changing, looking
from conveyor.entrypoints.http.orders import AnyId, order_or_404
from conveyor.entrypoints.http.problems import ProblemError, invalid, not_found
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import AnswerTaken
from conveyor.extension import Answerable, ExternalStep
from conveyor.operations.answering import give_answer
from conveyor.operations.one_order import find_order

router = ApiRouter("/v1/orders", tags=["orders"], responses=looking())

StepName = Annotated[str, Path(max_length=MAX_STEP_LENGTH, examples=["refunds.decide"])]
Version = Annotated[
    int | None,
    Query(
        ge=1,
        le=MAX_VERSION,
        description="Answer only if the order still has this version. Needed for the step of an "
        "external service: the `orderversion` of the message.",
    ),
]
_BODY = {
    "requestBody": {
        "required": True,
        "description": "What the step takes; each has a model of its own.",
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "example": {"approved": True, "by": "sam"},
            }
        },
    }
}


@router.post(
    "/{order_id}/answers/{step}",
    status_code=202,
    responses=changing(*BODY, Code.NOT_FOUND, Code.NOT_AWAITED),
    openapi_extra=_BODY,
)
async def answer_step(
    order_id: AnyId,
    step: StepName,
    request: Request,
    api: TheApi,
    grant: Answerer,
    *,
    by: Acting,
    version: Version = None,
) -> AnswerTaken:
    """Answer a step that awaits it, and let the order go on. A second answer is turned away."""
    wanted, engine = order_or_404(order_id), api.app.engine
    order = await find_order(engine, wanted, grant.sees)
    if order is None:
        raise not_found("order")
    asks = engine.registry.steps.get(step)
    if not isinstance(asks, Answerable):
        raise not_found("step that takes answers here")
    if version is None and isinstance(asks, ExternalStep):
        raise invalid("version", "is needed: the `orderversion` of the message that is answered")
    raw = await read_body(request)
    answer = read_object("answer", asks.answer, raw)
    # A key that can only answer is a program's, which answers each order that comes.
    who = by if grant.allows([OPERATE]) else None
    what = await give_answer(api.app, order.id, step, answer, version=version, by=who)
    if what == UNKNOWN_ORDER:
        raise not_found("order")
    if what != TAKEN:
        raise ProblemError(Code.NOT_AWAITED, _not_awaited(order, step, version))
    return AnswerTaken(order=order.id, step=step)


def _not_awaited(order: Order, step: str, version: int | None) -> str:
    if version not in {None, order.version}:
        return (
            f"Version {version} of the order is not there: it is {order.status}, and has another."
        )
    return f"The order does not await an answer to {step}: it is {order.status}, or was answered."
