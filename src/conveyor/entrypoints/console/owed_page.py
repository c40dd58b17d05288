"""What is owed: open orders of which money and goods are apart."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from conveyor.entrypoints.console.pages import page
from conveyor.entrypoints.console.viewer import console_of, viewer_of
from conveyor.entrypoints.http.orders import order_or_404
from conveyor.entrypoints.http.problems import not_found
from conveyor.operations import owed
from conveyor.operations.owed import Debt

PAGE = 50
DEBTS = {
    Debt.REFUND: "to give back",
    Debt.HOLD: "to let go of",
    Debt.COLLECT: "to collect",
    Debt.GOODS: "paid, and not at its end",
}
"""What is said of each."""


async def owed_orders(request: Request) -> Response:
    """Show them, the oldest first. Raises `ProblemError`."""
    viewer, app = await viewer_of(request), console_of(request).api.app
    query, sees = request.query_params, viewer.grant.sees
    only, after = query.get("debt") or None, query.get("after", "")
    if only is not None and only not in set(Debt):
        raise not_found("page")
    if after:
        order_or_404(after)
    now, wanted = app.engine.ambient.now_ms(), Debt(only) if only else None
    totals, found = await owed.owed_orders(app, sees, now, only=wanted, limit=PAGE, after=after)
    return page(
        request,
        "owed.html",
        viewer,
        sums=totals,
        owed=found,
        debts=DEBTS,
        only=only,
        next=found[-1].order.id if len(found) == PAGE else "",
        is_later=bool(after),
        now=now,
    )
