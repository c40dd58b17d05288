"""How figures, times and statuses are written on the pages."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from conveyor.commerce.orders.money import in_words as money
from conveyor.core.durations import duration
from conveyor.core.order_status import OrderStatus
from conveyor.core.rfc3339 import iso
from conveyor.core.untyped import Json
from conveyor.operations.overview import Standing

SECOND_MS = 1_000
MINUTE_MS = 60_000
NOT_KNOWN = "–"  # noqa: RUF001 - a dash where there is no figure

_MEANINGS = {
    OrderStatus.PROCESSING: "a step is owed",
    OrderStatus.AWAITING: "somebody outside must answer",
    OrderStatus.COMPENSATING: "it is being undone",
    OrderStatus.PARKED: "an operator must decide",
    OrderStatus.COMPLETED: "all of it is done",
    OrderStatus.CANCELLED: "it was undone",
    OrderStatus.REFUSED: "a step said no, and it was undone",
    OrderStatus.REFUNDED: "it was completed, and its money given back",
}

KINDS = (
    (Standing.PARKED, "parked", OrderStatus.PARKED),
    (Standing.WAITING, "wait", OrderStatus.PROCESSING),
    (Standing.WORKING, "in work", OrderStatus.PROCESSING),
    (Standing.OUTSIDE, "outside", OrderStatus.AWAITING),
    (Standing.UNDOING, "undoing", OrderStatus.COMPENSATING),
)
"""How orders stand at a station: what is said of them, and the status by which they are listed."""


def number(value: int | None) -> str:
    """Write a count: `1,234`."""
    return NOT_KNOWN if value is None else f"{value:,}"


def age(milliseconds: int | None) -> str:
    """Write how long something took or has lasted, coarsely: `340 ms`, `12 s`, `3 min 20 s`."""
    if milliseconds is None:
        return NOT_KNOWN
    if milliseconds < SECOND_MS:
        return f"{milliseconds} ms"
    if milliseconds < MINUTE_MS:
        return f"{milliseconds / SECOND_MS:.1f}".removesuffix(".0") + " s"
    return duration(milliseconds)


def roughly(milliseconds: int) -> str:
    """Write how long something will take, as far as anybody can know: `4 min`, `2 h`."""
    if milliseconds < MINUTE_MS:
        return f"{math.ceil(milliseconds / SECOND_MS)} s"
    return duration(math.ceil(milliseconds / MINUTE_MS) * MINUTE_MS)


def ago(at_ms: int, now_ms: int) -> str:
    """Write how long ago something was, to the second."""
    passed = max(0, now_ms - at_ms) // SECOND_MS * SECOND_MS
    return "just now" if not passed else f"{age(passed)} ago"


def clock(at_ms: int, now_ms: int) -> str:
    """Write a moment of today as a time, another one with its day; UTC."""
    moment, now = (datetime.fromtimestamp(it / SECOND_MS, UTC) for it in (at_ms, now_ms))
    return moment.strftime("%H:%M:%S" if moment.date() == now.date() else "%Y-%m-%d %H:%M:%S")


def meaning(status: OrderStatus) -> str:
    """Say what a status means."""
    return _MEANINGS[status]


def pretty_json(value: Json) -> str:
    """Write JSON for people."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


FILTERS: dict[str, Callable[..., Any]] = {
    "ago": ago,
    "age": age,
    "clock": clock,
    "iso": iso,
    "meaning": meaning,
    "money": money,
    "number": number,
    "pretty_json": pretty_json,
    "roughly": roughly,
}
