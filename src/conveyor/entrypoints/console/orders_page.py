"""Orders by what is known of them, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from conveyor.core.order_status import OrderStatus
from conveyor.core.place import due_step
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import flow_name
from conveyor.entrypoints.console.finding import FILTERS, Found, find_orders
from conveyor.entrypoints.console.pages import page
from conveyor.entrypoints.console.viewer import ROOT, console_of, viewer_of
from conveyor.entrypoints.http.orders import order_or_404
from conveyor.entrypoints.http.problems import ProblemError
from conveyor.operations.saved_searches import LONGEST_NAME, OF_ONE, searches_of

HERE = f"{ROOT}/orders"


async def orders(request: Request) -> Response:
    """List them; what was written into the field of every page is an id or a reference."""
    viewer = await viewer_of(request)
    query = {name: value.strip() for name, value in request.query_params.items() if value.strip()}
    if named := query.get("find"):
        return RedirectResponse(_address_of(named), 303)
    app = console_of(request).api.app
    asked = {name: query.get(name, "") for name in FILTERS}
    wanted = {name: value for name, value in asked.items() if value}
    found = await find_orders(app, viewer.grant.sees, asked, query.get("cursor"))
    flows = app.engine.registry.flows
    return page(
        request,
        "orders.html",
        viewer,
        status=422 if found.wrong else 200,
        asked=asked,
        wanted=wanted,
        found=found,
        steps={order.id: due_step(flows, order) for order in found.orders},
        statuses=list(OrderStatus),
        flows=sorted({flow_name(key) for key in flows}),
        older=f"{HERE}?{urlencode({**wanted, 'cursor': found.next})}" if found.next else "",
        newest=f"{HERE}?{urlencode(wanted)}" if "cursor" in query else "",
        filtered=bool(wanted),
        saved=await searches_of(app.engine, viewer.grant.merchant),
        may_save=viewer.may_change and _can_be_saved(asked, found),
        longest_name=LONGEST_NAME,
        steps_there_are=_steps_in(app.engine.registry),
        now=app.engine.ambient.now_ms(),
    )


def _can_be_saved(asked: Mapping[str, str], found: Found) -> bool:
    return any(asked.values()) and not found.wrong and not any(asked[it] for it in OF_ONE)


def _steps_in(registry: Registry) -> list[str]:
    lines = (line for flow in registry.flows.values() for line in flow.steps)
    return sorted({name for line in lines for name in (line.name, line.undo) if name})


def _address_of(named: str) -> str:
    try:
        return f"{HERE}/{order_or_404(named.upper())}"
    except ProblemError:
        return f"{HERE}?{urlencode({'reference': named})}"
