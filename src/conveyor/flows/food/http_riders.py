"""Riders: an operator makes them, and each says where they are and what becomes of an order."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Query, Response

from conveyor.commerce.orders.model import Shipping
from conveyor.core.answers import TAKEN
from conveyor.core.order import Order, load
from conveyor.core.rfc3339 import iso
from conveyor.core.transaction import Tx
from conveyor.entrypoints.http.bodies import body_is, body_of
from conveyor.entrypoints.http.codes import Code, ProblemCode
from conveyor.entrypoints.http.context import (
    Acting,
    Courier,
    Operator,
    Reader,
    TheApi,
    require_subject,
)
from conveyor.entrypoints.http.described import BODY, changing, looking
from conveyor.entrypoints.http.orders import AnyId, order_or_404
from conveyor.entrypoints.http.problems import ProblemError, not_found, turned_away
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import A_TIME, when
from conveyor.flows.food.body import Position
from conveyor.flows.food.codes import FoodCode
from conveyor.flows.food.extension import Kitchens
from conveyor.flows.food.restaurants.steps import name_of
from conveyor.flows.food.riders import store
from conveyor.flows.food.riders.dispatch import Dispatch
from conveyor.flows.food.riders.model import Destination, Offer, OfferState, Point, Rider
from conveyor.flows.food.schemas import (
    NAME_PATTERN,
    Offers,
    OfferView,
    RiderBody,
    RiderPage,
    RiderView,
    ShiftBody,
    Taken,
)
from conveyor.operations.noted_changes import changed

MAX_PAGE = 1_000
PAGE = 100
MAX_OFFERS = 100

router = ApiRouter("/v1/riders", tags=["riders"], responses=looking())

Name = Annotated[str, Path(pattern=NAME_PATTERN, examples=["r-1"])]
OFFER = "/{name}/offers/{order_id}"

_PLACE = {"latitude": 52.52, "longitude": 13.405}
_WHY: dict[ProblemCode, str] = {
    Code.NOT_AWAITED: "The order does not wait for that: it is over, or not that far.",
    FoodCode.NOT_NOW: "That does not follow from how things stand between rider and order.",
    FoodCode.NOT_OFFERED: "The order is not this rider's: it was not offered, or no longer is.",
}


@router.get("")
async def list_riders(
    api: TheApi,
    grant: Reader,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE,
    cursor: Annotated[str | None, Query(pattern=NAME_PATTERN)] = None,
) -> RiderPage:
    """List riders by id."""
    found = await api.app.engine.database.read(
        lambda tx: store.listing(tx, grant.merchant, limit=limit, cursor=cursor or "")
    )
    last = found[-1].id if len(found) == limit else None
    return RiderPage(riders=[_view(rider) for rider in found], next=last)


@router.put(
    "/{name}",
    responses=changing(*BODY, FoodCode.CARRIES_MORE),
    openapi_extra=body_is(RiderBody, {**_PLACE, "shift_until": A_TIME, "capacity": 2}),
)
async def set_rider(
    name: Name,
    api: TheApi,
    grant: Operator,
    by: Acting,
    body: Annotated[RiderBody, Depends(body_of(RiderBody))],
) -> RiderView:
    """Make a rider, or change one; what is carried stays carried."""
    rider = Rider(
        merchant=grant.merchant,
        id=name,
        latitude=body.latitude,
        longitude=body.longitude,
        shift_until=_ms(body.shift_until),
        capacity=body.capacity,
        load=0,
        heard_at=api.app.engine.now().ms,
        simulated=body.simulated or "",
    )
    if not await changed(
        api.app.engine, by, "riders.set", lambda tx: store.put(tx, rider), subject=name, took=bool
    ):
        detail = f"{name} carries more than {body.capacity} now."
        raise ProblemError(FoodCode.CARRIES_MORE, detail)
    return await _show(api, grant.merchant, name)


@router.get("/{name}", responses=looking(Code.NOT_FOUND))
async def show_rider(name: Name, api: TheApi, grant: Reader) -> RiderView:
    """Show a rider."""
    return await _show(api, grant.merchant, name)


@router.put(
    "/{name}/shift",
    responses=changing(*BODY, Code.NOT_FOUND),
    openapi_extra=body_is(ShiftBody, {"until": A_TIME}),
)
async def set_shift(
    name: Name,
    api: TheApi,
    grant: Courier,
    body: Annotated[ShiftBody, Depends(body_of(ShiftBody))],
) -> RiderView:
    """Begin a shift, or end it: no further offers then; what is carried is carried on."""
    require_subject(grant, name)
    until_ms = _ms(body.until)
    await api.app.engine.database.run(
        lambda tx: store.set_shift(tx, grant.merchant, name, until_ms)
    )
    return await _show(api, grant.merchant, name)


@router.post(
    "/{name}/position",
    status_code=204,
    responses=changing(*BODY, Code.NOT_FOUND),
    openapi_extra=body_is(Position, _PLACE),
)
async def move_rider(
    name: Name,
    api: TheApi,
    grant: Courier,
    body: Annotated[Position, Depends(body_of(Position))],
) -> Response:
    """Say where the rider is: what offers go by, and the sign of life of one with an order."""
    require_subject(grant, name)
    place = Point(body.latitude, body.longitude)
    if not await _dispatch(api).move(grant.merchant, name, place):
        raise not_found("rider")
    return Response(status_code=204)


@router.get("/{name}/offers")
async def list_offers(name: Name, api: TheApi, grant: Courier) -> Offers:
    """List what the rider is offered or carries."""
    require_subject(grant, name)

    def read(tx: Tx) -> list[OfferView]:
        found = store.rides_of(tx, grant.merchant, name, limit=MAX_OFFERS)
        orders = load(tx, [offer.order_id for offer in found], lock=False)
        return [_offer(tx, offer, orders[offer.order_id]) for offer in found]

    return Offers(offers=await api.app.engine.database.read(read))


@router.post(OFFER + "/accept", status_code=202, responses=changing(Code.NOT_FOUND, *_WHY))
async def accept_offer(name: Name, order_id: AnyId, api: TheApi, grant: Courier) -> Taken:
    """Take an order that is offered: from now on it is this rider's alone."""
    require_subject(grant, name)
    wanted = order_or_404(order_id)
    return _taken(wanted, await _dispatch(api).accept(grant.merchant, name, wanted))


@router.post(OFFER + "/decline", status_code=202, responses=changing(Code.NOT_FOUND, *_WHY))
async def decline_offer(name: Name, order_id: AnyId, api: TheApi, grant: Courier) -> Taken:
    """Leave an order to the next, or give it back before the pick-up."""
    require_subject(grant, name)
    wanted = order_or_404(order_id)
    return _taken(wanted, await _dispatch(api).decline(grant.merchant, name, wanted))


@router.post(OFFER + "/picked-up", status_code=202, responses=changing(Code.NOT_FOUND, *_WHY))
async def pick_up_offer(name: Name, order_id: AnyId, api: TheApi, grant: Courier) -> Taken:
    """Say that the food is on its way."""
    require_subject(grant, name)
    wanted = order_or_404(order_id)
    return _taken(wanted, await _dispatch(api).picked_up(grant.merchant, name, wanted))


@router.post(OFFER + "/delivered", status_code=202, responses=changing(Code.NOT_FOUND, *_WHY))
async def deliver_offer(name: Name, order_id: AnyId, api: TheApi, grant: Courier) -> Taken:
    """Say that the customer has it; then it is charged."""
    require_subject(grant, name)
    wanted = order_or_404(order_id)
    return _taken(wanted, await _dispatch(api).delivered(grant.merchant, name, wanted))


async def _show(api: TheApi, merchant: str, name: str) -> RiderView:
    found = await api.app.engine.database.read(lambda tx: store.find(tx, merchant, name))
    if found is None:
        raise not_found("rider")
    return _view(found)


def _dispatch(api: TheApi) -> Dispatch:
    return Dispatch(api.app.engine, api.app.answers)


def _taken(order_id: str, said: str) -> Taken:
    if said in _WHY:
        raise turned_away(said, _WHY)
    if said != TAKEN:
        raise not_found("offer")
    return Taken(order=order_id)


def _ms(moment: datetime | None) -> int:
    return round(moment.timestamp() * 1000) if moment else 0


def _view(rider: Rider) -> RiderView:
    return RiderView(
        id=rider.id,
        latitude=rider.latitude,
        longitude=rider.longitude,
        shift_until=when(rider.shift_until or None),
        capacity=rider.capacity,
        load=rider.load,
        heard_at=iso(rider.heard_at),
        simulated=rider.simulated or None,
    )


def _offer(tx: Tx, offer: Offer, order: Order) -> OfferView:
    pickup, goes = Kitchens().pickup_of(tx, order), order.body_as(Destination)
    is_open = offer.state == OfferState.OPEN
    return OfferView(
        order=order.id,
        state=offer.state,
        metres=offer.metres,
        offered_at=iso(offer.offered_at),
        answer_by=iso(offer.answer_by),
        restaurant=name_of(order),
        pickup=_position(pickup),
        drop_off=_position(goes.drop_off),
        shipping=None if is_open else Shipping.model_construct(**goes.shipping),
    )


def _position(point: Point | None) -> Position | None:
    return Position(latitude=point.latitude, longitude=point.longitude) if point else None
