"""Canaries: a value of its own in every personal field of an order, found by the models' own marks.

To look in another place, as in traces, is to add what it holds to `places` of `test_canaries`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from conveyor.system.personal import personal_fields

# What has a meaning to whoever reads it, and so cannot be any text.
FIXED = {("shipping", "country"), ("payment", "method")}
COORDINATES = {"latitude": 12.3456789, "longitude": 98.7654321}
EMAIL = ("customer", "email")


def with_canaries(
    model: type[BaseModel], order: Mapping[str, Any]
) -> tuple[dict[str, Any], set[str]]:
    """Put them into an order's body; gives it, and them."""
    body: dict[str, Any] = dict(order)
    canaries: set[str] = set()
    for path in personal_fields(model).told:
        if path in FIXED:
            continue
        value: Any = f"Canary {'-'.join(path)} sings"
        if path == ("metadata",):
            body["metadata"] = {"note": [value, {"phone": f"+1 {value}"}]}
            canaries |= {value, f"+1 {value}"}
            continue
        if path == EMAIL:
            value = "canary@coalmine.example"
        value = COORDINATES.get(path[-1], value)
        within = body
        for name in path[:-1]:
            within[name] = dict(within.get(name) or {})
            within = within[name]
        within[path[-1]] = value
        canaries.add(str(value))
    return body, canaries


def found_in(texts: Iterable[str | bytes], canaries: Iterable[str]) -> set[str]:
    """Give those that are in any of these texts."""
    whole = [text.encode() if isinstance(text, str) else text for text in texts]
    return {it for it in canaries if any(it.encode() in text for text in whole)}
