"""How things stand: the summary of a merchant's orders, and the audit."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from conveyor.entrypoints.http.context import Auditor, Reader, TheApi
from conveyor.entrypoints.http.described import looking
from conveyor.entrypoints.http.report_schemas import Audit, Latency, SummaryView
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import KEY_PATTERN
from conveyor.operations.summary import P50, P99, Summary, Which
from conveyor.operations.traffic import requests_so_far

MAX_REASONS = 5

router = ApiRouter(tags=["reports"], responses=looking())


@router.get("/v1/summary")
async def show_summary(
    api: TheApi,
    grant: Reader,
    key_prefix: Annotated[str | None, Query(pattern=KEY_PATTERN)] = None,
) -> SummaryView:
    """Sum up your orders, or those whose idempotency key begins so; ask as often as you like."""
    view = _view(await api.summaries.of(Which(grant.merchant, key_prefix or "")))
    view.sqs_requests = await requests_so_far(api.app)
    return view


@router.get("/v1/audit")
async def run_audit(api: TheApi, _grant: Auditor) -> Audit:
    """Check every invariant over the whole system, whoever's its orders are.

    One runs at a time: whoever asks meanwhile is told what it finds.
    """
    return Audit(**(await api.audits.run()).as_json())


def _view(summary: Summary) -> SummaryView:
    return SummaryView(
        placed=summary.placed,
        open=summary.open,
        archived=summary.archived,
        by_status=dict(summary.by_status),
        captured=dict(summary.captured),
        refunded=dict(summary.refunded),
        refused_because=dict(summary.refused_because.most_common(MAX_REASONS)),
        latency_ms=Latency(p50=summary.latency(P50), p99=summary.latency(P99)),
    )
