"""Renewals: what is due, and starting it, as an operator does."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Query

from conveyor.core.transaction import Tx
from conveyor.entrypoints.http.bodies import body_is, body_of
from conveyor.entrypoints.http.context import (
    Acting,
    Operator,
    Reader,
    TheApi,
)
from conveyor.entrypoints.http.described import BODY, changing, looking
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.flows.renewal.http_subscriptions import views
from conveyor.flows.renewal.scan import Scan
from conveyor.flows.renewal.schemas import (
    ControlView,
    Dues,
    RenewalsView,
    ResumeBody,
    RunBody,
    RunView,
)
from conveyor.flows.renewal.subscriptions import control, renewals, store
from conveyor.flows.renewal.subscriptions.control import Control
from conveyor.flows.renewal.subscriptions.due import Run, count_behind, count_due, due
from conveyor.flows.renewal.subscriptions.model import ALL_PER_CENT
from conveyor.operations.noted_changes import changed

MAX_PAGE = 1_000
PAGE = 50

router = ApiRouter("/v1/renewals", tags=["renewals"], responses=looking())


@router.get("")
async def show_renewals(api: TheApi, grant: Reader) -> RenewalsView:
    """Show how renewals stand, and what was decided about them."""
    now, merchant = api.app.engine.ambient.now_ms(), grant.merchant

    def read(tx: Tx) -> RenewalsView:
        counts = count_due(tx, Run(merchant, now), now)
        return RenewalsView(
            **_facts(control.read(tx, merchant)),
            due=sum(count for count, _ in counts.values()),
            amounts={currency: amount for currency, (_, amount) in counts.items()},
            behind=count_behind(tx, merchant, now),
            subscriptions=store.count_by_status(tx, merchant),
            renewals=renewals.count_by_state(tx, merchant),
        )

    return await api.app.engine.database.read(read)


@router.get("/due")
async def list_due(
    api: TheApi,
    grant: Reader,
    per_cent: Annotated[float, Query(gt=0, le=100)] = ALL_PER_CENT,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE,
) -> Dues:
    """Say what a run would start now, with the first of it."""
    now, merchant = api.app.engine.ambient.now_ms(), grant.merchant

    def read(tx: Tx) -> Dues:
        run = Run(merchant, now, per_cent)
        counts = count_due(tx, run, now)
        page = due(tx, run, now, limit=limit, take=False)
        found = [subscription for subscription, _ in page]
        return Dues(
            due=sum(count for count, _ in counts.values()),
            amounts={currency: amount for currency, (_, amount) in counts.items()},
            behind=count_behind(tx, merchant, now),
            first=views(found, store.plans_of(tx, merchant), now),
        )

    return await api.app.engine.database.read(read)


@router.post(
    "/run",
    responses=changing(*BODY),
    openapi_extra=body_is(RunBody, {"per_cent": 5, "limit": 1000}),
)
async def run_renewals(
    api: TheApi, grant: Operator, by: Acting, body: Annotated[RunBody, Depends(body_of(RunBody))]
) -> RunView:
    """Start what is due, up to a limit, or as much as the pace allows now."""
    began_at = api.app.engine.ambient.now_ms() if body.run is None else body.run
    run = Run(grant.merchant, began_at, body.per_cent, body.catch_up)
    if body.dry:
        return await _dry(api, run)
    if body.run is None:  # else it goes on with one that was begun
        await changed(api.app.engine, by, "renewals.run", lambda _: None, per_cent=body.per_cent)
    done = await Scan(api.app.engine).some(run, body.limit)
    return RunView(
        started=done.started,
        ended=done.ended,
        paused=done.paused,
        more=done.more,
        wait_seconds=done.wait_ms / 1000,
        run=began_at,
    )


@router.post("/pause", responses=changing())
async def pause_renewals(api: TheApi, grant: Operator, by: Acting) -> ControlView:
    """Start no more renewals; those that are started go on."""

    def pause(tx: Tx) -> Control:
        before = control.read(tx, grant.merchant)
        control.decide(tx, grant.merchant, 0.0, before.per_second)
        return control.read(tx, grant.merchant)

    return ControlView(**_facts(await changed(api.app.engine, by, "renewals.pause", pause)))


@router.post(
    "/resume",
    responses=changing(*BODY),
    openapi_extra=body_is(ResumeBody, {"per_cent": 100, "per_second": 50}),
)
async def resume_renewals(
    api: TheApi,
    grant: Operator,
    by: Acting,
    body: Annotated[ResumeBody, Depends(body_of(ResumeBody))],
) -> ControlView:
    """Let renewals start: all or the first per cent, and no faster than so many a second."""

    def resume(tx: Tx) -> Control:
        control.decide(tx, grant.merchant, body.per_cent, body.per_second)
        return control.read(tx, grant.merchant)

    said = body.model_dump(exclude_none=True)
    return ControlView(
        **_facts(await changed(api.app.engine, by, "renewals.resume", resume, **said))
    )


async def _dry(api: TheApi, run: Run) -> RunView:
    now = api.app.engine.ambient.now_ms()

    def read(tx: Tx) -> tuple[Control, int]:
        allowed = control.read(tx, run.merchant)
        allowed_run = replace(run, per_cent=min(run.per_cent, allowed.per_cent))
        counts = count_due(tx, allowed_run, now).values()
        return allowed, sum(count for count, _ in counts)

    allowed, count = await api.app.engine.database.read(read)
    return RunView(
        started=0,
        ended=0,
        paused=allowed.paused,
        more=count > 0,
        wait_seconds=0.0,
        due=count,
        run=run.began_at,
    )


def _facts(decided: Control) -> dict[str, float | bool | None]:
    return {
        "paused": decided.paused,
        "per_cent": decided.per_cent,
        "per_second": decided.per_second,
    }
