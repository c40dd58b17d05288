"""Keeping a search for orders by a name, and keeping it no longer."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from conveyor.entrypoints.console.finding import wrong_in
from conveyor.entrypoints.console.viewer import ROOT, console_of, form_of, viewer_of
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.problems import ProblemError, invalid, not_found
from conveyor.operations.saved_searches import (
    KEPT,
    LONGEST_NAME,
    MOST_SAVED,
    OF_ONE,
    forget_search,
    save_search,
)

ORDERS = f"{ROOT}/orders"
_TOO_MANY = f"There are {MOST_SAVED} searches already: forget one first."


async def save(request: Request) -> Response:
    """Keep the search that was looked at. Raises `ProblemError`."""
    viewer = await viewer_of(request)
    sent = await form_of(request, viewer)
    name, asks = _name_in(sent), _asks_in(sent)
    engine, merchant = console_of(request).api.app.engine, viewer.grant.merchant
    if not await save_search(engine, merchant, name, asks, viewer.acting()):
        raise ProblemError(Code.INVALID, _TOO_MANY)
    return RedirectResponse(f"{ORDERS}?{urlencode(asks)}", 303)


async def forget(request: Request) -> Response:
    """Keep a search no longer. Raises `ProblemError`."""
    viewer = await viewer_of(request)
    name = _name_in(await form_of(request, viewer))
    engine, merchant = console_of(request).api.app.engine, viewer.grant.merchant
    if not await forget_search(engine, merchant, name, viewer.acting()):
        raise not_found("search")
    return RedirectResponse(ORDERS, 303)


def _name_in(sent: Mapping[str, str]) -> str:
    name = sent.get("name", "")
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise invalid("name", f"is one line of 1 to {LONGEST_NAME} characters")
    return name


def _asks_in(sent: Mapping[str, str]) -> dict[str, str]:
    if any(sent.get(name) for name in OF_ONE):
        raise invalid("search", "is for one customer or one order: such a search is not kept")
    asks = {name: sent[name] for name in KEPT if sent.get(name)}
    if not asks:
        raise invalid("search", "asks for nothing: every order matches")
    for field, why in wrong_in(asks):
        raise invalid(field, why)
    return asks
