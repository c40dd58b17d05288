"""What is owed: open orders of which money and goods are apart."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from conveyor.core.transaction import Tx
from conveyor.entrypoints.console.pages import page
from conveyor.entrypoints.console.viewer import console_of, viewer_of
from conveyor.entrypoints.http.orders import order_or_404
from conveyor.entrypoints.http.problems import not_found
from conveyor.operations.explain.outlook import Known
from conveyor.operations.owed import Debt, Owed, Sum, owed, sums

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
    known, now = Known(app.engine.registry, app.ports.unbound), app.engine.ambient.now_ms()

    def read(tx: Tx) -> tuple[list[Sum], list[Owed]]:
        wanted = Debt(only) if only else None
        found = owed(tx, known, sees, now, only=wanted, limit=PAGE, after=after)
        return sums(tx, known.registry.flows.values(), sees), found

    totals, found = await app.engine.database.read(read)
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
