"""What no JSON schema can say of an order, so that Schemathesis makes orders that are right."""

from __future__ import annotations

from typing import Any

import schemathesis

from conveyor.services.orders.model import MAX_METADATA_ENTRIES, MAX_TOTAL


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Let a total that is given agree with the items, and keep metadata flat."""
    if context.operation.label == "POST /v1/orders" and isinstance(body, dict):
        items = body.get("items")
        if isinstance(items, list) and all(_is_priced(item) for item in items):
            _agree(body, items)
        metadata = body.get("metadata")
        if isinstance(metadata, dict) and len(metadata) <= MAX_METADATA_ENTRIES:
            body["metadata"] = dict.fromkeys(map(repr, metadata))
    return body


def _agree(body: dict[str, Any], items: list[dict[str, Any]]) -> None:
    total = sum(item["quantity"] * item["unit_price"] for item in items)
    if total > MAX_TOTAL:
        for item in items:
            item["unit_price"] = total = 0
    if _is_amount(body.get("total")):
        body["total"] = total


def _is_priced(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and _is_amount(item.get("quantity"))
        and _is_amount(item.get("unit_price"))
    )


def _is_amount(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and value >= 0
