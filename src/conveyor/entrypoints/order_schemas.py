"""Orders' bodies as JSON Schema: what their models say, and what only the system knows of them."""

from __future__ import annotations

from typing import Any

from conveyor.commerce.orders.model import MAX_TOTAL, MAX_UNIT_PRICE, OrderBody
from conveyor.system.installation import Installation

REF = "#/components/schemas/{model}"


def flows_by_body(installed: Installation) -> dict[str, list[str]]:
    """Give, by the name of each body's model, the flows whose orders have it."""
    bodies = installed.bodies
    return {
        model.__name__: [f.name for f in installed.flows if bodies.model(f.name) is model]
        for model in bodies.models
    }


def narrow_bodies(schemas: dict[str, Any], installed: Installation) -> None:
    """Say of each order's body what its model alone does not know."""
    bodies = flows_by_body(installed)
    for model in installed.bodies.models:
        name = model.__name__
        _narrow(schemas[name], bodies[name], model.PRICED)
        if installed.bodies.ships.issuperset(bodies[name]):
            _need_address(schemas[name])


def _narrow(schema: dict[str, Any], flows: list[str], priced: str) -> None:
    """Say of an order's body what its model alone does not know."""
    flow = schema["properties"]["flow"]
    flow["enum"] = sorted(set(flows))
    if OrderBody.model_fields["flow"].default not in flows:  # this is none that names no flow
        flow.pop("default", None)
        schema["required"] = [*schema.get("required", ()), "flow"]
    schema.setdefault("dependentSchemas", {})[priced] = {"anyOf": _priced(priced)}


def _need_address(schema: dict[str, Any]) -> None:
    """Say that the address has a country; where a generator of clients does not stumble over it."""
    country = {"required": ["country"], "properties": {"country": {"type": "string"}}}
    schema["required"] = [*schema["required"], "shipping"]
    schema["dependentSchemas"]["shipping"] = {"properties": {"shipping": country}}


def _amount(most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "maximum": most}


def _priced(field: str) -> list[dict[str, Any]]:
    """Say that either every member of a list has a price, or none has and there is a total.

    What the list's presence asks for stands by itself: a generator of clients that met the choice
    at the top would take it for the whole body.
    """
    price = {"unit_price": _amount(MAX_UNIT_PRICE)}
    with_price = {"required": ["unit_price"], "properties": price}
    without = {"properties": {"unit_price": {"type": "null"}}}
    total = {"total": _amount(MAX_TOTAL)}
    return [
        {"properties": {field: {"items": with_price}}},
        {"required": ["total"], "properties": {**total, field: {"items": without}}},
    ]
