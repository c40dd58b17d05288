"""Dead letters: parked orders and poison messages, and what an operator decides about them."""

from __future__ import annotations

import re
from typing import Annotated, Literal, assert_never

from fastapi import Depends, Path, Query

from conveyor.access.model import Grant
from conveyor.core.interventions import Decision, Intervention
from conveyor.core.place import place_of
from conveyor.core.registry import Registry
from conveyor.core.rfc3339 import iso
from conveyor.core.routing_slip import undone_by
from conveyor.entrypoints.http.bodies import body_is, body_of
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import Acting, Api, Operator, TheApi
from conveyor.entrypoints.http.dead_letter_schemas import (
    DeadLetters,
    Decided,
    Money,
    ParkedDetail,
    ParkedView,
    PoisonView,
    ReasonBody,
)
from conveyor.entrypoints.http.described import BODY, changing, looking
from conveyor.entrypoints.http.orders import order_or_404
from conveyor.entrypoints.http.problems import ProblemError, not_found
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import AN_ORDER, ORDER_ID_PATTERN, OrderId
from conveyor.operations import decisions
from conveyor.operations.dead_letters import (
    Look,
    Poison,
    discard_poison,
    list_poison,
    look_into_dead_letters,
    redrive_poison,
)
from conveyor.operations.parked_orders import ParkedOrder, find_parked, list_parked

MAX_PAGE = 200
PAGE = 50
MESSAGE_ID_PATTERN = r"^[0-9A-Za-z-]{1,100}$"

router = ApiRouter("/v1/dead-letters", tags=["dead letters"], responses=looking())
_TOO_LATE = (
    "It is too late to undo it: what was delivered cannot be taken back. Redrive it to try again, "
    "or discard it with a reason: then its money is let go, and what it was to pay written off."
)
_NOT_WAITING = (
    "The order does not rest until a next try: it is in work, parked, at its end, behind another, "
    "or awaits an answer. Its explanation says which."
)
_NOT_SO = {
    Decision.NOT_PARKED: "The order is not parked.",
    Decision.NOT_WAITING: _NOT_WAITING,
    Decision.NOT_COMPLETED: "The order is not completed.",
    Decision.NOT_REFUNDABLE: "The order cannot be refunded.",
}
_ORDER_ID = re.compile(ORDER_ID_PATTERN)
_MESSAGE_ID = re.compile(MESSAGE_ID_PATTERN)

# The id of an order or of a message; whatever can be neither is one that does not exist.
AnyId = Annotated[str, Path(examples=[AN_ORDER], json_schema_extra={"pattern": MESSAGE_ID_PATTERN})]
Reason = Annotated[ReasonBody, Depends(body_of(ReasonBody))]
_REASON = body_is(ReasonBody, {"reason": "the carrier went out of business"})


@router.get("")
async def list_dead_letters(
    api: TheApi,
    grant: Operator,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE,
    cursor: OrderId | None = None,
) -> DeadLetters:
    """List parked orders by id, and poison messages with the first page."""
    engine = api.app.engine
    found = await list_parked(engine, grant.sees, limit=limit, after=cursor or "")
    looks = not cursor and sees_poison(api, grant)
    look = await look_into_dead_letters(engine) if looks else Look([], {})
    return DeadLetters(
        orders=[_parked_view(one, engine.registry) for one in found],
        messages=[_poison_view(one) for one in look.poison],
        not_shown=look.not_shown,
        next=found[-1].order.id if len(found) == limit else None,
    )


@router.get("/{letter_id}", responses=looking(Code.NOT_FOUND))
async def show_dead_letter(
    letter_id: AnyId, api: TheApi, grant: Operator
) -> ParkedDetail | PoisonView:
    """Show a parked order with its last traceback, or a poison message."""
    engine = api.app.engine
    if _ORDER_ID.fullmatch(letter_id):
        one = await find_parked(engine, letter_id, grant.sees)
        if one is None:
            raise not_found("parked order")
        return _parked_detail(one, engine.registry)
    _message_or_404(letter_id, api, grant)
    for poison in await list_poison(engine):
        if poison.message_id == letter_id:
            return _poison_view(poison)
    raise not_found("message")


@router.post(
    "/{letter_id}/redrive",
    status_code=202,
    responses=changing(Code.NOT_FOUND, Code.NOT_PARKED, Code.FLOW_MISSING),
    response_model_exclude_none=True,
)
async def redrive_dead_letter(
    letter_id: AnyId, api: TheApi, grant: Operator, by: Acting
) -> Decided:
    """Let a parked order take its step again, or send a message to its queue again."""
    if _ORDER_ID.fullmatch(letter_id):
        decided = await decisions.redrive(api.app.engine, letter_id, grant.sees, by=by)
        return _decided(letter_id, "redriven", decided)
    _message_or_404(letter_id, api, grant)
    if await redrive_poison(api.app.engine, letter_id, by=by) is None:
        raise not_found("message")
    return Decided(kind="message", id=letter_id, did="redriven", steps=[])


@router.post(
    "/{letter_id}/compensate",
    status_code=202,
    responses=changing(*BODY, Code.NOT_FOUND, Code.NOT_PARKED, Code.TOO_LATE, Code.FLOW_MISSING),
    response_model_exclude_none=True,
    openapi_extra=_REASON,
)
async def compensate_order(
    letter_id: AnyId, api: TheApi, grant: Operator, by: Acting, body: Reason
) -> Decided:
    """Undo what was done of a parked order, and give its money back."""
    order_id = order_or_404(letter_id)
    decided = await decisions.compensate(api.app.engine, order_id, grant.sees, body.reason, by=by)
    return _decided(order_id, "compensating", decided)


@router.post(
    "/{letter_id}/discard",
    status_code=202,
    responses=changing(*BODY, Code.NOT_FOUND, Code.NOT_PARKED, Code.STILL_OWES, Code.FLOW_MISSING),
    response_model_exclude_none=True,
    openapi_extra=_REASON,
)
async def discard_dead_letter(
    letter_id: AnyId, api: TheApi, grant: Operator, by: Acting, body: Reason
) -> Decided:
    """Give up a parked order of which nothing is left to undo, or a message, for good.

    What was delivered and not paid for is written off: the hold on the money is let go.
    """
    if _ORDER_ID.fullmatch(letter_id):
        decided = await decisions.discard(api.app.engine, letter_id, grant.sees, body.reason, by=by)
        return _decided(letter_id, "discarded", decided)
    _message_or_404(letter_id, api, grant)
    if await discard_poison(api.app.engine, letter_id, body.reason, by=by) is None:
        raise not_found("message")
    return Decided(kind="message", id=letter_id, did="discarded", steps=[])


def sees_poison(api: Api, grant: Grant) -> bool:
    """Poison is nobody's order; a bad order of the intake is its merchant's."""
    return grant.everywhere or grant.merchant == api.app.settings.intake_merchant


def _message_or_404(letter_id: str, api: Api, grant: Grant) -> None:
    if not _MESSAGE_ID.fullmatch(letter_id) or not sees_poison(api, grant):
        raise not_found("message")


def _decided(
    order_id: str,
    did: Literal["redriven", "compensating", "discarded"],
    decided: Intervention | None,
) -> Decided:
    if decided is None:
        raise not_found("order")
    if problem := problem_of(decided):
        raise problem
    steps, unless = list(decided.undoes), decided.unless or None
    return Decided(kind="order", id=order_id, did=did, steps=steps, unless=unless)


def problem_of(decided: Intervention) -> ProblemError | None:
    """Give why nothing came of a decision; None: it was carried out."""
    match decided.what:
        case Decision.ACCEPTED:
            return None
        case Decision.STILL_OWES:
            left = ", ".join(decided.undoes) or "a call whose outcome is not known yet"
            detail = f"There is something left to undo: {left}. Redrive or compensate it instead."
            return ProblemError(Code.STILL_OWES, detail)
        case Decision.TOO_LATE | Decision.ALREADY:
            return ProblemError(Code.TOO_LATE, _TOO_LATE)
        case (
            Decision.NOT_PARKED
            | Decision.NOT_WAITING
            | Decision.NOT_COMPLETED
            | Decision.NOT_REFUNDABLE
        ):
            return ProblemError(Code(decided.what.value), _NOT_SO[decided.what])
        case Decision.NOT_FOUND:
            return not_found("order")
        case _:
            assert_never(decided.what)


def _parked_view(one: ParkedOrder, registry: Registry) -> ParkedView:
    order, parked = one.order, one.parked
    to_collect = one.to_collect(registry)
    return ParkedView(
        id=order.id,
        merchant=order.merchant,
        step=parked.step,
        cause=parked.cause,
        attempts=parked.attempts,
        parked_at=iso(parked.parked_at),
        was=parked.was,
        owed=Money(amount=one.owed, currency=order.currency) if one.owed else None,
        to_collect=Money(amount=to_collect, currency=order.currency) if to_collect else None,
        holds_back=one.holds_back,
    )


def _parked_detail(one: ParkedOrder, registry: Registry) -> ParkedDetail:
    order = one.order
    flow = registry.flows.get(order.flow)
    undoes = undone_by(flow, place_of(order)) if flow else ()
    view = _parked_view(one, registry).model_dump()
    return ParkedDetail(**view, traceback=one.parked.traceback, undoes=list(undoes))


def _poison_view(poison: Poison) -> PoisonView:
    return PoisonView(
        id=poison.message_id,
        queue=poison.queue,
        cause=poison.cause,
        body=poison.body,
        sent_at=iso(poison.sent_at),
    )
