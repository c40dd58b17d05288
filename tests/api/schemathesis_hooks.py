"""What no JSON schema can say of an order, so that Schemathesis makes orders that are right."""

from __future__ import annotations

import os
import re
from itertools import count
from typing import Any

import schemathesis
from hypothesis import strategies as st

from conveyor.commerce.orders.model import MAX_METADATA_ENTRIES, MAX_TOTAL, MINOR_DIGITS
from conveyor.entrypoints.http.placing import IDEMPOTENCY_KEY
from conveyor.entrypoints.http.schemas import KEY_PATTERN

KEY_VARIABLE = "CONVEYOR_API_KEY"
SHORT_KEY = 200
_number = count()


schemathesis.openapi.format("iso-4217", st.sampled_from(sorted(MINOR_DIGITS)))


@schemathesis.auth()
class ApiKey:
    """The key that the test hands over in the environment."""

    def get(self, _case: Any, _context: Any) -> str:
        """Give it."""
        return os.environ[KEY_VARIABLE]

    def set(self, case: Any, data: str, _context: Any) -> None:
        """Send it, except where the case is about its absence."""
        phase = case.meta.phase.data if case.meta else None
        if getattr(phase, "parameter", None) != "Authorization":
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.hook
def before_call(context: Any, case: Any, _arguments: Any) -> None:
    """Let totals agree, keep metadata flat, and let no two orders share a key that is right."""
    if context.operation.label != "POST /v1/orders":
        return
    key = (case.headers or {}).get(IDEMPOTENCY_KEY)
    if isinstance(key, str) and re.fullmatch(KEY_PATTERN, key):
        case.headers[IDEMPOTENCY_KEY] = f"{key[:SHORT_KEY]}{next(_number)}"
    if isinstance(case.body, dict):
        _mend(case.body)
        _address(case.body)


def _mend(body: dict[str, Any]) -> None:
    items, metadata = body.get("legs", body.get("items")), body.get("metadata")
    if isinstance(items, list) and all(_is_priced(item) for item in items):
        total = sum(
            item.get("quantity", 1) * item.get("nights", 1) * item["unit_price"] for item in items
        )
        if total > MAX_TOTAL:
            for item in items:
                item["unit_price"] = total = 0
        if _is_amount(body.get("total")):
            body["total"] = total
    if isinstance(metadata, dict) and len(metadata) <= MAX_METADATA_ENTRIES:
        body["metadata"] = dict.fromkeys(map(repr, metadata))


def _address(body: dict[str, Any]) -> None:
    shipping = body.setdefault("shipping", {}) if body.get("flow") == "food" else None
    if isinstance(shipping, dict) and body.get("drop_off") is None:
        shipping["line1"] = shipping.get("line1") or "1 Main Street"


def _is_priced(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and _is_amount(item.get("quantity", 1))
        and _is_amount(item.get("nights", 1))
        and _is_amount(item.get("unit_price"))
    )


def _is_amount(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and value >= 0
