"""Restaurants: an operator makes them, and each answers for its tickets."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import Depends, Path, Query

from conveyor.commerce.orders.model import Item
from conveyor.core.answers import TAKEN
from conveyor.core.order import Order, load
from conveyor.core.rfc3339 import iso
from conveyor.core.transaction import Tx
from conveyor.entrypoints.http.bodies import body_is, body_of
from conveyor.entrypoints.http.codes import Code, ProblemCode
from conveyor.entrypoints.http.context import (
    Acting,
    Cook,
    Operator,
    Reader,
    TheApi,
    require_subject,
)
from conveyor.entrypoints.http.described import BODY, changing, looking
from conveyor.entrypoints.http.orders import AnyId, order_or_404
from conveyor.entrypoints.http.problems import not_found, turned_away
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import OrderId, when
from conveyor.flows.food.codes import FoodCode
from conveyor.flows.food.restaurants import store
from conveyor.flows.food.restaurants.counter import Counter
from conveyor.flows.food.restaurants.model import UNDER_WAY, Dishes, Restaurant, Ticket, TicketState
from conveyor.flows.food.schemas import (
    NAME_PATTERN,
    AcceptBody,
    RejectBody,
    RestaurantBody,
    RestaurantPage,
    RestaurantView,
    StateOfTicket,
    Taken,
    Tickets,
    TicketView,
)
from conveyor.operations.noted_changes import changed

MAX_PAGE = 1_000
PAGE = 100

router = ApiRouter("/v1/restaurants", tags=["restaurants"], responses=looking())

Name = Annotated[str, Path(pattern=NAME_PATTERN, examples=["luigi"])]
TICKET = "/{name}/tickets/{order_id}"

_RESTAURANT = {
    "latitude": 52.52,
    "longitude": 13.405,
    "zone": "Europe/Berlin",
    "hours": {"fri": ["11:30-14:30", "18:00-02:00"]},
    "max_preparing": 20,
}
_WHY: dict[ProblemCode, str] = {
    Code.NOT_AWAITED: "This ticket does not wait for that: it was answered, or is over.",
    FoodCode.KITCHEN_FULL: "As many orders are being prepared as the restaurant takes at once.",
}


@router.get("")
async def list_restaurants(
    api: TheApi,
    grant: Reader,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE,
    cursor: Annotated[str | None, Query(pattern=NAME_PATTERN)] = None,
) -> RestaurantPage:
    """List restaurants by id."""
    now_ms = api.app.engine.now().ms

    def read(tx: Tx) -> list[RestaurantView]:
        found = store.listing(tx, grant.merchant, limit=limit, cursor=cursor or "")
        return [_view(tx, one, now_ms) for one in found]

    page = await api.app.engine.database.read(read)
    return RestaurantPage(restaurants=page, next=page[-1].id if len(page) == limit else None)


@router.put(
    "/{name}",
    responses=changing(*BODY),
    openapi_extra=body_is(RestaurantBody, _RESTAURANT),
)
async def set_restaurant(
    name: Name,
    api: TheApi,
    grant: Operator,
    by: Acting,
    body: Annotated[RestaurantBody, Depends(body_of(RestaurantBody))],
) -> RestaurantView:
    """Make a restaurant, or change it; what it has accepted stays accepted."""
    facts = body.model_dump() | {"simulated": body.simulated or ""}
    restaurant = Restaurant(merchant=grant.merchant, id=name, **facts)
    now_ms = api.app.engine.now().ms

    def write(tx: Tx) -> RestaurantView:
        store.put(tx, restaurant)
        return _view(tx, restaurant, now_ms)

    return await changed(api.app.engine, by, "restaurants.set", write, subject=name)


@router.get("/{name}", responses=looking(Code.NOT_FOUND))
async def show_restaurant(name: Name, api: TheApi, grant: Reader) -> RestaurantView:
    """Show a restaurant."""
    now_ms = api.app.engine.now().ms

    def read(tx: Tx) -> RestaurantView | None:
        found = store.find(tx, grant.merchant, name)
        return _view(tx, found, now_ms) if found else None

    view = await api.app.engine.database.read(read)
    if view is None:
        raise not_found("restaurant")
    return view


@router.get("/{name}/tickets")
async def list_tickets(
    name: Name,
    api: TheApi,
    grant: Cook,
    *,
    state: StateOfTicket | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE,
    cursor: OrderId | None = None,
) -> Tickets:
    """List a restaurant's tickets: those that are under way, or all of one state."""
    require_subject(grant, name)
    states = [state] if state else UNDER_WAY
    answer_ms = round(api.app.settings.restaurant_deadline_seconds * 1000)

    def read(tx: Tx) -> list[TicketView]:
        found = store.tickets_of(
            tx, grant.merchant, name, states=states, limit=limit, cursor=cursor or ""
        )
        orders = load(tx, [ticket.order_id for ticket in found], lock=False)
        return [_ticket(one, orders[one.order_id], answer_ms) for one in found]

    page = await api.app.engine.database.read(read)
    return Tickets(tickets=page, next=page[-1].order if len(page) == limit else None)


@router.post(
    TICKET + "/accept",
    status_code=202,
    responses=changing(*BODY, Code.NOT_FOUND, Code.NOT_AWAITED, FoodCode.KITCHEN_FULL),
    openapi_extra=body_is(AcceptBody, {"minutes": 20}),
)
async def accept_ticket(
    name: Name,
    order_id: AnyId,
    api: TheApi,
    grant: Cook,
    body: Annotated[AcceptBody, Depends(body_of(AcceptBody))],
) -> Taken:
    """Take an order on, to be ready in so many minutes."""
    require_subject(grant, name)
    wanted = order_or_404(order_id)
    said = await _counter(api).accept(grant.merchant, name, wanted, body.minutes)
    return _taken(wanted, said)


@router.post(
    TICKET + "/reject",
    status_code=202,
    responses=changing(*BODY, Code.NOT_FOUND, Code.NOT_AWAITED),
    openapi_extra=body_is(RejectBody, {"reason": "the oven is broken"}),
)
async def reject_ticket(
    name: Name,
    order_id: AnyId,
    api: TheApi,
    grant: Cook,
    body: Annotated[RejectBody, Depends(body_of(RejectBody))],
) -> Taken:
    """Say no to an order; nothing is charged for it."""
    require_subject(grant, name)
    wanted = order_or_404(order_id)
    said = await _counter(api).reject(grant.merchant, name, wanted, body.reason)
    return _taken(wanted, said)


@router.post(
    TICKET + "/ready",
    status_code=202,
    responses=changing(Code.NOT_FOUND, Code.NOT_AWAITED),
)
async def ready_ticket(name: Name, order_id: AnyId, api: TheApi, grant: Cook) -> Taken:
    """Say that an order may be fetched, which makes room for another."""
    require_subject(grant, name)
    wanted = order_or_404(order_id)
    return _taken(wanted, await _counter(api).ready(grant.merchant, name, wanted))


def _counter(api: TheApi) -> Counter:
    return Counter(api.app.engine, api.app.answers)


def _taken(order_id: str, said: str) -> Taken:
    if said in _WHY:
        raise turned_away(said, _WHY)
    if said != TAKEN:
        raise not_found("ticket")
    return Taken(order=order_id)


def _view(tx: Tx, restaurant: Restaurant, now_ms: int) -> RestaurantView:
    facts = asdict(restaurant)
    del facts["merchant"]
    hours = {day: list(spans) for day, spans in restaurant.hours.items()}
    facts |= {"hours": hours, "simulated": restaurant.simulated or None}
    return RestaurantView(
        **facts, is_open=restaurant.is_open(now_ms), preparing=store.preparing(tx, restaurant)
    )


def _ticket(ticket: Ticket, order: Order, answer_ms: int) -> TicketView:
    return TicketView(
        order=ticket.order_id,
        state=ticket.state,
        reference=order.reference,
        items=[Item.model_construct(**asdict(it)) for it in order.body_as(Dishes).items],
        asked_at=iso(ticket.asked_at),
        answer_by=iso(ticket.asked_at + answer_ms) if ticket.state == TicketState.ASKED else None,
        due_at=when(ticket.due_at),
        ready_at=when(ticket.ready_at),
        reason=ticket.reason,
    )
