"""Finds orders by what was written into the fields of a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError

from conveyor.commerce.orders.model import SingleLine
from conveyor.commerce.orders.order_filter import NAMES, OrderFilter
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.untyped import Json
from conveyor.entrypoints.http.order_query import PAGE
from conveyor.entrypoints.http.orders import order_or_404
from conveyor.entrypoints.http.problems import ProblemError
from conveyor.operations import order_search
from conveyor.operations.order_search import UnknownNameError
from conveyor.system.composition import App

FILTERS = NAMES
TIMES = tuple(name for name in NAMES if name.endswith(("_after", "_before")))
NO_TIME = "is a time such as 2026-01-01 12:00, in UTC"
_NO_ID = "is the id of an order"
_NO_LINE = "is one line, of at most 500 characters"
_LINE: TypeAdapter[str] = TypeAdapter(SingleLine)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of orders, newest first; `next` is the cursor of the next one.

    `wrong` says of a field what is wrong with it; then nothing was looked for.
    """

    orders: list[Order] = field(default_factory=list)
    next: str | None = None
    wrong: Mapping[str, str] = field(default_factory=dict)


async def find_orders(
    app: App, merchant: str | None, asked: Mapping[str, str], cursor: str | None
) -> Found:
    """Give the orders of this merchant, or everybody's, that match all that was asked for."""
    given = {name: text for name, text in asked.items() if text}
    wrong = dict(wrong_in(given))
    if cursor is not None and not _is_id(cursor):
        wrong["cursor"] = _NO_ID
    if wrong:
        return Found(wrong=wrong)
    wanted: dict[str, Json] = {**given, **{it: _ms_of(given[it]) for it in TIMES if it in given}}
    if "status" in given:
        wanted["status"] = OrderStatus(given["status"])
    try:
        page = await order_search.find_orders(
            app, OrderFilter(**wanted), merchant, limit=PAGE, cursor=cursor
        )
    except UnknownNameError as error:
        return Found(wrong={error.field: f"is not known: {error.why}"})
    return Found(page.orders, page.next)


def wrong_in(given: Mapping[str, str]) -> list[tuple[str, str]]:
    """Say of each of these fields what nobody can look for."""
    wrong = [(name, _NO_LINE) for name, text in given.items() if not _is_line(text)]
    wrong += [(name, NO_TIME) for name in TIMES if name in given and _ms_of(given[name]) is None]
    if "status" in given and given["status"] not in set(OrderStatus):
        wrong.append(("status", f"is one of {', '.join(OrderStatus)}"))
    if "id" in given and not _is_id(given["id"]):
        wrong.append(("id", _NO_ID))
    return wrong


def _is_line(text: str) -> bool:
    try:
        _LINE.validate_python(text)
    except ValidationError:
        return False
    return True


def _is_id(text: str) -> bool:
    try:
        return bool(order_or_404(text))
    except ProblemError:
        return False


def _ms_of(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
