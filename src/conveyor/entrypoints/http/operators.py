"""What operators did: read only, since nobody changes what was done."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field, JsonValue

from conveyor.core.operator_actions import Action, Wanted
from conveyor.core.rfc3339 import iso
from conveyor.entrypoints.http.context import Operator, TheApi
from conveyor.entrypoints.http.described import looking
from conveyor.entrypoints.http.order_query import Moment
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import OrderId, Time, ms_of
from conveyor.operations.operator_log import actions_of

MAX_PAGE = 200
PAGE = 50
ACTION_PATTERN = r"^[a-z][a-z_-]*\.[a-z][a-z_-]*$"

router = ApiRouter("/v1/operators", tags=["operators"], responses=looking())


class ActionView(BaseModel):
    """Something that somebody did by hand."""

    at: Time
    action: str = Field(examples=["orders.cancel"])
    order: str | None
    subject: str | None = Field(description="What it was done to, where that is no order.")
    merchant: str
    key: str | None = Field(description="The id of the API key; `local`: of who owns the data.")
    label: str | None = Field(description="That of the key.")
    person: str | None = Field(description="The user of the operating system, and the machine.")
    place: str = Field(description="An address, or `command line`.")
    why: str | None
    detail: dict[str, JsonValue]


class Actions(BaseModel):
    """The newest first; `next` is the cursor of the next page."""

    actions: list[ActionView]
    next: int | None


@router.get("/log")
async def list_actions(
    api: TheApi,
    grant: Operator,
    *,
    order: OrderId | None = None,
    key: Annotated[str | None, Query(max_length=40, description="The id of an API key.")] = None,
    action: Annotated[str | None, Query(pattern=ACTION_PATTERN)] = None,
    since: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE,
    cursor: Annotated[int | None, Query(ge=1)] = None,
) -> Actions:
    """List what operators did, the newest first: who, from where and why.

    `since` is the first moment that counts, `key` the id of an API key.
    """
    wanted = Wanted(grant.sees, order, key, action, ms_of(since), cursor)
    found = await actions_of(api.app.engine, wanted, limit)
    last = found[-1].id if len(found) == limit else None
    return Actions(actions=[_view(one) for one in found], next=last)


def _view(one: Action) -> ActionView:
    actor = one.actor
    return ActionView(
        at=iso(one.at),
        action=one.action,
        order=one.order_id or None,
        subject=one.subject or None,
        merchant=actor.merchant,
        key=actor.key or None,
        label=actor.label or None,
        person=actor.person or None,
        place=actor.place,
        why=actor.why or None,
        detail=one.detail,
    )
