"""Orders: looking at them, and cancelling them."""

from __future__ import annotations

import re
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime, BeforeValidator

from conveyor.commerce.orders import store
from conveyor.commerce.orders.model import SingleLine, Word
from conveyor.core import timeline
from conveyor.core.order import Order
from conveyor.core.rfc3339 import iso
from conveyor.core.timeline import Entry
from conveyor.core.transaction import Tx
from conveyor.entrypoints.http.bodies import body_is, parse, read_body
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import Canceller, Reader, TheApi
from conveyor.entrypoints.http.described import BODY, changing, looking
from conveyor.entrypoints.http.order_views import cancel_answer, order_detail, order_view
from conveyor.entrypoints.http.problems import ProblemError, not_found
from conveyor.entrypoints.http.schemas import (
    A_TIME,
    AN_ORDER,
    ORDER_ID_PATTERN,
    CancelAnswer,
    CancelBody,
    OrderDetail,
    OrderId,
    OrderPage,
    Status,
    Timeline,
    TimelineEntry,
    ms_of,
)
from conveyor.entrypoints.http.story_view import StoryView, story_view
from conveyor.operations import decisions
from conveyor.operations.decisions import Cancelled, NotCancelled
from conveyor.operations.explain import explain

MAX_PAGE = 200
PAGE = 50

router = APIRouter(prefix="/v1/orders", tags=["orders"], responses=looking())
_ORDER_ID = re.compile(ORDER_ID_PATTERN)


def _no_number(value: object) -> object:
    """Pydantic takes seconds since 1970 too, which OpenAPI's `date-time` does not."""
    if isinstance(value, str) and ":" not in value:
        raise ValueError(f"is a time such as {A_TIME}")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_no_number), Query(examples=[A_TIME])]
# Whatever cannot be the id of an order is one that does not exist.
AnyId = Annotated[
    str,
    Path(examples=[AN_ORDER], json_schema_extra={"pattern": ORDER_ID_PATTERN}),
]


@router.get("")
async def list_orders(
    api: TheApi,
    grant: Reader,
    *,
    status: Status | None = None,
    flow: Word | None = None,
    reference: SingleLine | None = None,
    customer: Word | None = None,
    placed_after: Moment | None = None,
    placed_before: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE,
    cursor: OrderId | None = None,
) -> OrderPage:
    """List orders, newest first: all, or those that match what is asked for.

    `placed_after` is the first moment that counts, `placed_before` the first that does not.
    """
    registry = api.app.engine.registry
    match = store.Match(reference, customer, ms_of(placed_after), ms_of(placed_before))
    found = await api.app.engine.database.read(
        lambda tx: store.listing(
            tx,
            merchant=grant.sees,
            status=status,
            flow=flow,
            limit=limit,
            cursor=cursor,
            match=match,
        )
    )
    last = found[-1].id if len(found) == limit else None
    return OrderPage(orders=[order_view(order, registry) for order in found], next=last)


@router.get("/{order_id}", responses=looking(Code.NOT_FOUND))
async def show_order(order_id: AnyId, api: TheApi, grant: Reader) -> OrderDetail:
    """Show an order, and where it is on its way."""
    wanted = order_or_404(order_id)
    order = await api.app.engine.database.read(lambda tx: store.find(tx, wanted, grant.sees))
    if order is None:
        raise not_found("order")
    return order_detail(order, api.app.engine.registry)


@router.get("/{order_id}/timeline", responses=looking(Code.NOT_FOUND))
async def show_timeline(order_id: AnyId, api: TheApi, grant: Reader) -> Timeline:
    """Show what happened to an order, oldest first."""
    wanted = order_or_404(order_id)

    def read(tx: Tx) -> tuple[Order | None, list[Entry]]:
        return store.find(tx, wanted, grant.sees), timeline.of_order(tx, wanted)

    order, entries = await api.app.engine.database.read(read)
    if order is None:
        raise not_found("order")
    return Timeline(order=order.id, entries=[_entry(entry) for entry in entries])


@router.get("/{order_id}/explain", responses=looking(Code.NOT_FOUND))
async def explain_order(order_id: AnyId, api: TheApi, grant: Reader) -> StoryView:
    """Tell an order's whole story, and what it waits for until when."""
    story = await explain(api.app, order_or_404(order_id), grant.sees)
    if story is None:
        raise not_found("order")
    return story_view(story, api.app.engine.registry)


@router.post(
    "/{order_id}/cancel",
    status_code=202,
    responses=changing(*BODY, Code.NOT_FOUND, Code.TOO_LATE, Code.FLOW_MISSING),
    response_model_exclude_none=True,
    openapi_extra=body_is(CancelBody, {"reason": "ordered twice"}, required=False),
)
async def cancel_order(
    order_id: AnyId, request: Request, api: TheApi, grant: Canceller
) -> CancelAnswer:
    """Cancel an order, and say what becomes of its money. Asking again gives the same answer."""
    wanted = order_or_404(order_id)
    raw = await read_body(request)
    body = parse(CancelBody, raw) if raw else CancelBody()
    match await decisions.cancel(api.app.engine, wanted, grant.sees, body.reason, by=grant.holder):
        case None:
            raise not_found("order")
        case NotCancelled(why):
            raise ProblemError(Code.TOO_LATE, f"It is too late to cancel. {why}")
        case Cancelled() as cancelled:
            return cancel_answer(cancelled)


def order_or_404(text: str) -> str:
    """Give the id. Raises `ProblemError` when there can be no order of this id."""
    if not _ORDER_ID.fullmatch(text):
        raise not_found("order")
    return text


def _entry(entry: Entry) -> TimelineEntry:
    detail: dict[str, Any] = orjson.loads(entry.detail) if entry.detail else {}
    return TimelineEntry(
        at=iso(entry.at),
        event=entry.event,
        step=entry.step,
        attempt=entry.attempt,
        version=entry.version,
        detail=detail,
    )
