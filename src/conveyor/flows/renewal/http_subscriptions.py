"""Plans and subscriptions: begin, look, change, cancel."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import Depends, Path, Query

from conveyor.core.rfc3339 import iso
from conveyor.core.transaction import Tx
from conveyor.entrypoints.http.bodies import body_is, body_of
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import (
    Acting,
    Operator,
    Placer,
    Reader,
    TheApi,
)
from conveyor.entrypoints.http.described import BODY, changing, looking
from conveyor.entrypoints.http.problems import ProblemError, invalid, not_found
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import when
from conveyor.flows.renewal.codes import RenewalCode
from conveyor.flows.renewal.schemas import (
    NAME_PATTERN,
    CardBody,
    PlanBody,
    PlanChoice,
    Plans,
    PlanView,
    Status,
    SubscriptionBody,
    SubscriptionImport,
    SubscriptionPage,
    SubscriptionsImported,
    SubscriptionView,
)
from conveyor.flows.renewal.subscriptions import store
from conveyor.flows.renewal.subscriptions.beginning import NewSubscription
from conveyor.flows.renewal.subscriptions.changes import Changes, Impossible, InvalidRow
from conveyor.flows.renewal.subscriptions.model import Plan, Subscription

MAX_PAGE = 1_000
PAGE = 100

router = ApiRouter("/v1", tags=["subscriptions"], responses=looking())

PlanId = Annotated[str, Path(pattern=NAME_PATTERN, examples=["monthly"])]
SubscriptionId = Annotated[str, Path(pattern=NAME_PATTERN, examples=["s-1"])]

_PLAN = {"price": 999, "currency": "USD", "months": 1, "trial_days": 14}
_SUBSCRIPTION = {"id": "s-1", "customer": "00001", "plan": "monthly", "card": "card_ok"}


@router.get("/plans")
async def list_plans(api: TheApi, grant: Reader) -> Plans:
    """List plans by id."""
    found = await api.app.engine.database.read(lambda tx: store.plans_of(tx, grant.merchant))
    return Plans(plans=[_plan_view(plan) for plan in found.values()])


@router.put(
    "/plans/{plan}",
    responses=changing(*BODY, RenewalCode.PLAN_IN_USE),
    openapi_extra=body_is(PlanBody, _PLAN),
)
async def set_plan(
    plan: PlanId,
    api: TheApi,
    grant: Operator,
    by: Acting,
    body: Annotated[PlanBody, Depends(body_of(PlanBody))],
) -> PlanView:
    """Make a plan, or change its price and rules from the next renewals on."""
    facts = body.model_dump() | {"retry_days": tuple(body.retry_days)}
    new = Plan(merchant=grant.merchant, id=plan, **facts)
    refusal = await Changes(api.app.engine).set_plan(new, by)
    if refusal is not None:
        raise ProblemError(RenewalCode.PLAN_IN_USE, refusal.why)
    return _plan_view(new)


@router.get("/subscriptions")
async def list_subscriptions(
    api: TheApi,
    grant: Reader,
    status: Status | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE,
    cursor: Annotated[str | None, Query(pattern=NAME_PATTERN)] = None,
) -> SubscriptionPage:
    """List subscriptions by id."""

    def read(tx: Tx) -> list[SubscriptionView]:
        found = store.listing(tx, grant.merchant, status=status, limit=limit, cursor=cursor or "")
        return views(found, store.plans_of(tx, grant.merchant), api.app.engine.ambient.now_ms())

    page = await api.app.engine.database.read(read)
    return SubscriptionPage(subscriptions=page, next=page[-1].id if len(page) == limit else None)


@router.post(
    "/subscriptions",
    status_code=201,
    responses=changing(*BODY, RenewalCode.ID_TAKEN),
    openapi_extra=body_is(SubscriptionBody, _SUBSCRIPTION),
)
async def begin_subscription(
    api: TheApi,
    grant: Placer,
    body: Annotated[SubscriptionBody, Depends(body_of(SubscriptionBody))],
) -> SubscriptionView:
    """Begin a subscription; it is charged when it is due, which without a trial is at once."""
    begun = await Changes(api.app.engine).begin(
        grant.merchant, [NewSubscription(**body.model_dump())]
    )
    if isinstance(begun, InvalidRow):
        raise invalid(begun.wrong.field, begun.wrong.why)
    if begun.there_before:
        raise ProblemError(RenewalCode.ID_TAKEN, f"There is a subscription {body.id} already.")
    return await _show(api, grant.merchant, body.id)


@router.post(
    "/subscriptions/import",
    responses=changing(*BODY),
    openapi_extra=body_is(SubscriptionImport, {"subscriptions": [_SUBSCRIPTION]}),
)
async def import_subscriptions(
    api: TheApi,
    grant: Operator,
    by: Acting,
    body: Annotated[SubscriptionImport, Depends(body_of(SubscriptionImport))],
) -> SubscriptionsImported:
    """Begin many subscriptions, all or none; those whose id is taken stay as they are."""
    given = [NewSubscription(**one.model_dump()) for one in body.subscriptions]
    begun = await Changes(api.app.engine).begin(grant.merchant, given, by)
    if isinstance(begun, InvalidRow):
        raise invalid(f"subscriptions.{begun.at}.{begun.wrong.field}", begun.wrong.why)
    return SubscriptionsImported(added=begun.added, there_before=begun.there_before)


@router.get("/subscriptions/{name}", responses=looking(Code.NOT_FOUND))
async def show_subscription(name: SubscriptionId, api: TheApi, grant: Reader) -> SubscriptionView:
    """Show a subscription."""
    return await _show(api, grant.merchant, name)


@router.put(
    "/subscriptions/{name}/card",
    responses=changing(*BODY, Code.NOT_FOUND, RenewalCode.NOT_POSSIBLE),
    openapi_extra=body_is(CardBody, {"card": "card_ok"}),
)
async def replace_card(
    name: SubscriptionId,
    api: TheApi,
    grant: Placer,
    body: Annotated[CardBody, Depends(body_of(CardBody))],
) -> SubscriptionView:
    """Charge another card from now on; one that is past due is tried with it at once."""
    changed = await Changes(api.app.engine).replace_card(grant.merchant, name, body.card)
    return await _changed(api, changed)


@router.put(
    "/subscriptions/{name}/plan",
    responses=changing(*BODY, Code.NOT_FOUND, RenewalCode.NOT_POSSIBLE),
    openapi_extra=body_is(PlanChoice, {"plan": "yearly"}),
)
async def change_plan(
    name: SubscriptionId,
    api: TheApi,
    grant: Placer,
    body: Annotated[PlanChoice, Depends(body_of(PlanChoice))],
) -> SubscriptionView:
    """Go over to another plan with the next period."""
    changed = await Changes(api.app.engine).change_plan(grant.merchant, name, body.plan)
    return await _changed(api, changed)


@router.post("/subscriptions/{name}/cancel", responses=changing(Code.NOT_FOUND))
async def cancel_subscription(name: SubscriptionId, api: TheApi, grant: Placer) -> SubscriptionView:
    """End a subscription with the period that is paid; one that is past due, at once."""
    return await _changed(api, await Changes(api.app.engine).cancel(grant.merchant, name))


async def _changed(api: TheApi, changed: Subscription | Impossible | None) -> SubscriptionView:
    if changed is None:
        raise not_found("subscription")
    if isinstance(changed, Impossible):
        raise ProblemError(RenewalCode.NOT_POSSIBLE, changed.why)
    return await _show(api, changed.merchant, changed.id)


async def _show(api: TheApi, merchant: str, name: str) -> SubscriptionView:
    def read(tx: Tx) -> list[SubscriptionView]:
        found = store.find(tx, merchant, [name]).values()
        return views(list(found), store.plans_of(tx, merchant), api.app.engine.ambient.now_ms())

    found = await api.app.engine.database.read(read)
    if not found:
        raise not_found("subscription")
    return found[0]


def views(found: list[Subscription], plans: dict[str, Plan], now_ms: int) -> list[SubscriptionView]:
    """Show subscriptions; `now_ms` decides about access."""
    return [
        SubscriptionView(
            id=one.id,
            customer=one.customer,
            plan=one.plan,
            next_plan=one.next_plan or None,
            card=one.card,
            zone=one.zone,
            status=one.status,
            reason=one.reason,
            access=one.has_access(plans[one.plan], now_ms),
            period=one.period,
            paid_until=iso(one.paid_until),
            due_at=when(one.due_at),
            cancel_at_end=one.cancel_at_end,
            created_at=iso(one.created_at),
        )
        for one in found
    ]


def _plan_view(plan: Plan) -> PlanView:
    facts = asdict(plan)
    del facts["merchant"]
    return PlanView(**facts | {"retry_days": list(plan.retry_days)})
