"""Orders: looking at them, and cancelling them."""

from __future__ import annotations

import re
from typing import Annotated, Any

import orjson
from fastapi import Path, Request

from conveyor.core.rfc3339 import iso
from conveyor.core.timeline import Entry
from conveyor.entrypoints.http.bodies import body_is, parse, read_body
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import Acting, Canceller, Reader, TheApi
from conveyor.entrypoints.http.described import BODY, changing, looking
from conveyor.entrypoints.http.order_query import PAGE, AskedFor, Limit
from conveyor.entrypoints.http.order_views import cancel_answer, order_detail, order_view
from conveyor.entrypoints.http.problems import ProblemError, not_found
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import (
    AN_ORDER,
    ORDER_ID_PATTERN,
    CancelAnswer,
    CancelBody,
    OrderDetail,
    OrderId,
    OrderPage,
    Timeline,
    TimelineEntry,
)
from conveyor.entrypoints.http.story_view import StoryView, story_view
from conveyor.operations import decisions
from conveyor.operations.archive import find_record
from conveyor.operations.decisions import Cancelled, NotCancelled
from conveyor.operations.explain import explain
from conveyor.operations.one_order import find_order, timeline_of
from conveyor.operations.order_search import find_orders

router = ApiRouter("/v1/orders", tags=["orders"], responses=looking())
_ORDER_ID = re.compile(ORDER_ID_PATTERN)


# Whatever cannot be the id of an order is one that does not exist.
AnyId = Annotated[
    str,
    Path(examples=[AN_ORDER], json_schema_extra={"pattern": ORDER_ID_PATTERN}),
]


@router.get("")
async def list_orders(
    api: TheApi,
    grant: Reader,
    wanted: AskedFor,
    limit: Limit = PAGE,
    cursor: OrderId | None = None,
) -> OrderPage:
    """List orders, newest first: all, or those that match whatever is asked for.

    `placed_after` and `settled_after` are the first moment that counts, `placed_before` and
    `settled_before` the first that does not; what is parked has not settled.
    """
    page = await find_orders(api.app, wanted, grant.sees, limit=limit, cursor=cursor)
    registry = api.app.engine.registry
    views = [order_view(order, registry) for order in page.orders]
    return OrderPage(orders=views, next=page.next)


@router.get("/{order_id}", responses=looking(Code.NOT_FOUND, Code.ARCHIVED))
async def show_order(order_id: AnyId, api: TheApi, grant: Reader) -> OrderDetail:
    """Show an order, and where it is on its way."""
    wanted = order_or_404(order_id)
    order = await find_order(api.app.engine, wanted, grant.sees)
    if order is not None:
        return order_detail(order, api.app.engine.registry)
    if (record := await find_record(api.app, wanted, grant.sees)) is None:
        raise not_found("order")
    return order_detail(record.order, api.app.engine.registry, record.at)


@router.get("/{order_id}/timeline", responses=looking(Code.NOT_FOUND, Code.ARCHIVED))
async def show_timeline(order_id: AnyId, api: TheApi, grant: Reader) -> Timeline:
    """Show what happened to an order, oldest first."""
    wanted = order_or_404(order_id)
    entries = await timeline_of(api.app.engine, wanted, grant.sees)
    if entries is None:
        if (record := await find_record(api.app, wanted, grant.sees)) is None:
            raise not_found("order")
        entries = record.entries
    return Timeline(order=wanted, entries=[_entry(entry) for entry in entries])


@router.get("/{order_id}/explain", responses=looking(Code.NOT_FOUND, Code.ARCHIVED))
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
    order_id: AnyId, request: Request, api: TheApi, grant: Canceller, by: Acting
) -> CancelAnswer:
    """Cancel an order, and say what becomes of its money. Asking again gives the same answer."""
    wanted = order_or_404(order_id)
    raw = await read_body(request)
    body = parse(CancelBody, raw) if raw else CancelBody()
    match await decisions.cancel(api.app.engine, wanted, grant.sees, body.reason, by=by):
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
