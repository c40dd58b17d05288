"""Settled orders go into the archive, page by page; and where those are that went."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, time
from typing import Annotated

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from conveyor.commerce.orders.model import SingleLine
from conveyor.core.actor import Actor
from conveyor.entrypoints.http.archive_views import archived_view
from conveyor.entrypoints.http.bodies import body_is, body_of
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import Acting, Api, Operator, Reader, TheApi
from conveyor.entrypoints.http.described import BODY, changing, looking
from conveyor.entrypoints.http.problems import ProblemError, invalid
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import ArchivedView, Body, Counts, OrderId
from conveyor.operations.archive import (
    ArchiveBusyError,
    Archiver,
    ArchiveUnnamedError,
    Moved,
    Wanted,
    archiver_of,
    list_archived,
)
from conveyor.operations.archive.archiver import MOST_ORDERS, PAGE_ORDERS, OrdersMovedError

router = ApiRouter("/v1/archive", tags=["archive"], responses=looking())


class ArchiveBody(Body):
    """Which page: orders that settled `before`, with ids after `after`."""

    before: str = Field(
        description="A day, such as 2026-01-01, which begins in UTC; or a moment.",
        examples=["2026-01-01"],
        max_length=40,
    )
    after: OrderId | None = Field(default=None, description="`next` of the page before.")
    orders: int = Field(default=PAGE_ORDERS, ge=1, le=MOST_ORDERS, description="At most so many.")
    dry_run: bool = Field(default=False, description="Only say what would be done.")


class ArchivePage(BaseModel):
    """What became of a page."""

    archived: int
    kept: Counts = Field(description="Orders at their end that must stay, by why.")
    examples: dict[str, list[OrderId]] = Field(description="Some of those.")
    file: str | None = Field(description="In the directory of the archive; null: none.")
    bytes: int
    next: OrderId | None = Field(description="After which the next page begins; null: the last.")


class ArchivedOrders(BaseModel):
    """Orders that went into the archive, newest first."""

    orders: list[ArchivedView]


@router.post(
    "",
    responses=changing(*BODY, Code.NO_ARCHIVE, Code.ARCHIVE_BUSY),
    openapi_extra=body_is(ArchiveBody, {"before": "2026-01-01", "dry_run": True}),
)
async def archive_page(
    api: TheApi,
    grant: Operator,
    by: Acting,
    body: Annotated[ArchiveBody, Depends(body_of(ArchiveBody))],
) -> ArchivePage:
    """Move a page of settled orders out of the database, into a file of the archive.

    Asked again with `next`, until that is null, it moves them all. What is broken off is gone on
    with by the same request: an order is in one place at any moment, and in no other.
    """
    before = _moment(body.before)
    if before > api.app.parts.ambient.now_ms():
        raise invalid("before", "is still to come: give a day that has begun")
    wanted = Wanted(before, grant.sees, body.after or "", body.orders, dry=body.dry_run)
    moved = await _page(_archiver(api, by), wanted)
    return ArchivePage(
        archived=moved.archived,
        kept=dict(moved.kept),
        examples=moved.examples,
        file=moved.file,
        bytes=moved.bytes,
        next=moved.next,
    )


@router.get("/orders")
async def find_archived_orders(
    api: TheApi,
    grant: Reader,
    reference: Annotated[SingleLine | None, Query(description="Exactly this.")] = None,
) -> ArchivedOrders:
    """List orders of the archive, newest first, at most a hundred: of a reference, or of all."""
    found = await list_archived(api.app, reference, grant.sees)
    views = (archived_view(it) for it in found)
    return ArchivedOrders(orders=[it for it in views if it is not None])


def _moment(text: str) -> int:
    for read in (_day, datetime.fromisoformat):
        with suppress(ValueError, OverflowError):
            moment = read(text)
            if moment.tzinfo is not None:
                return round(moment.timestamp() * 1000)
    raise invalid("before", "is a day such as 2026-01-01, or a moment with its zone")


def _day(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), time.min, UTC)


def _archiver(api: Api, by: Actor) -> Archiver:
    try:
        return archiver_of(api.app, by)
    except ArchiveUnnamedError as error:
        raise ProblemError(Code.NO_ARCHIVE, _sentence(error)) from error


async def _page(archiver: Archiver, wanted: Wanted) -> Moved:
    try:
        return await archiver.page(wanted)
    except (ArchiveBusyError, OrdersMovedError) as error:
        raise ProblemError(Code.ARCHIVE_BUSY, _sentence(error)) from error
    except OSError as error:
        said = f"The directory of CONVEYOR_ARCHIVE cannot be written: {error.strerror}."
        raise ProblemError(Code.NO_ARCHIVE, said) from error


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[0].upper()}{text[1:]}."
