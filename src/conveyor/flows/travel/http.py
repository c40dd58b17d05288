"""Resources: the flights and hotel nights that can be booked, and what is free of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Path, Query

from conveyor.commerce.orders.model import PRINTABLE
from conveyor.core.actor import Actor
from conveyor.entrypoints.http.bodies import body_is, body_of
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import (
    Acting,
    Api,
    Operator,
    Reader,
    TheApi,
)
from conveyor.entrypoints.http.described import BODY, changing, looking
from conveyor.entrypoints.http.problems import ProblemError, not_found
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.flows.travel.body import MAX_NAME_CHARACTERS, NAME, Day
from conveyor.flows.travel.bookings import store
from conveyor.flows.travel.bookings.granting import offer
from conveyor.flows.travel.bookings.model import Offer, resource_name
from conveyor.flows.travel.codes import TravelCode
from conveyor.flows.travel.extension import booking_terms
from conveyor.flows.travel.schemas import (
    Kind,
    ResourceBody,
    ResourceImport,
    ResourcePage,
    ResourcesImported,
    ResourceView,
)
from conveyor.operations.noted_changes import changed

MAX_PAGE = 1_000
PAGE = 100
MAX_SHOWN = 5
"""Resources that a problem names."""

router = ApiRouter("/v1/resources", tags=["resources"], responses=looking())

Name = Annotated[
    str,
    Path(min_length=1, max_length=MAX_NAME_CHARACTERS, pattern=NAME, examples=["UA1545"]),
]
Date = Annotated[Day, Path(examples=["2013-01-01"])]


def _named(kind: Kind, name: Name, date: Date) -> str:
    return resource_name(kind, name, date)


_RESOURCE = {"capacity": 149, "overbooking": 3, "description": "EWR to IAH, 05:15"}
_ROW = {"kind": "flight", "name": "UA1545", "date": "2013-01-01", **_RESOURCE}


@router.get("")
async def list_resources(
    api: TheApi,
    grant: Reader,
    kind: Kind | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE,
    cursor: Annotated[str | None, Query(max_length=100, pattern=PRINTABLE)] = None,
) -> ResourcePage:
    """List resources by kind, name and date, with what is free of each."""
    start = f"{kind}/" if kind else ""
    found = await api.app.engine.database.read(
        lambda tx: store.listing(tx, grant.merchant, start=start, limit=limit, cursor=cursor or "")
    )
    last = found[-1].name if len(found) == limit else None
    return ResourcePage(resources=[ResourceView.of(one) for one in found], next=last)


@router.post(
    "/import",
    responses=changing(*BODY, TravelCode.GIVEN_AWAY),
    openapi_extra=body_is(ResourceImport, {"resources": [_ROW]}),
)
async def import_resources(
    api: TheApi,
    grant: Operator,
    by: Acting,
    body: Annotated[ResourceImport, Depends(body_of(ResourceImport))],
) -> ResourcesImported:
    """Set many resources, all or none."""
    offers = [row.offer() for row in body.resources]
    await _set(api, grant.merchant, offers, by)
    return ResourcesImported(resources=len({one.name for one in offers}))


@router.get("/{kind}/{name}/{date}", responses=looking(Code.NOT_FOUND))
async def show_resource(
    resource: Annotated[str, Depends(_named)], api: TheApi, grant: Reader
) -> ResourceView:
    """Show a flight or a hotel night, and what is free of it."""
    return await _view(api, grant.merchant, resource)


@router.put(
    "/{kind}/{name}/{date}",
    responses=changing(*BODY, TravelCode.GIVEN_AWAY),
    openapi_extra=body_is(ResourceBody, _RESOURCE),
)
async def set_resource(
    resource: Annotated[str, Depends(_named)],
    api: TheApi,
    grant: Operator,
    by: Acting,
    body: Annotated[ResourceBody, Depends(body_of(ResourceBody))],
) -> ResourceView:
    """Set what there is of a flight or a hotel night; what there is more of goes to who waits."""
    offered = Offer(resource, body.capacity, body.overbooking, body.description)
    await _set(api, grant.merchant, [offered], by)
    return await _view(api, grant.merchant, resource)


async def _set(api: Api, merchant: str, offers: Sequence[Offer], by: Actor) -> None:
    engine = api.app.engine
    now, terms = engine.now(), booking_terms(api.app.settings)
    too_small = await changed(
        api.app.engine,
        by,
        "resources.set",
        lambda tx: offer(tx, merchant, offers, terms, now.ms),
        took=lambda wrong: not wrong,
        subject=offers[0].name if len(offers) == 1 else "",
        resources=len(offers),
    )
    if too_small:
        named = ", ".join(one.name for one in too_small[:MAX_SHOWN])
        detail = (
            f"More is given away already than there would be: {named}. Nothing is set. To keep "
            "what is given away, raise the overbooking; else cancel orders first."
        )
        raise ProblemError(TravelCode.GIVEN_AWAY, detail)


async def _view(api: Api, merchant: str, resource: str) -> ResourceView:
    found = await api.app.engine.database.read(lambda tx: store.find(tx, merchant, resource))
    if found is None:
        raise not_found("resource")
    return ResourceView.of(found)
