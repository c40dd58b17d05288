"""An order is the same order however it is written down."""

from __future__ import annotations

from typing import Any

import pytest

from conveyor.commerce.orders.model import OrderBody
from conveyor.commerce.orders.placement import request_for
from conveyor.settings import Settings
from conveyor.system.installation import installation

FLOW = next(flow for flow in installation(Settings()).flows if flow.name == "shop")
BODY: dict[str, Any] = {
    "customer": {"id": "c", "email": "a@example.com"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 2, "unit_price": 5}],
    "payment": {"method": "card_ok"},
    "metadata": {"a": 1, "b": {"x": [1, 2], "y": None}},
}


def fingerprint(**changes: Any) -> str:
    body = OrderBody.model_validate({**BODY, **changes})
    return request_for("id", "m", "k", body, FLOW).fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {"b": {"x": [1, 2], "y": None}, "a": 1}},
        {"metadata": {"a": 1, "b": {"y": None, "x": [1, 2]}}},
        {"customer": {"email": "a@example.com", "id": "c"}},
        {"items": [{"unit_price": 5, "quantity": 2.0, "sku": "CD"}]},
        {"total": 10},
        {"reference": "", "flow": "shop"},
    ],
)
def test_what_means_the_same_has_the_same_fingerprint(changes: dict[str, Any]) -> None:
    assert fingerprint(**changes) == fingerprint()


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {"a": 1, "b": {"x": [2, 1], "y": None}}},
        {"metadata": {"a": 2, "b": {"x": [1, 2], "y": None}}},
        {"customer": {"id": "d", "email": "a@example.com"}},
        {"items": [{"sku": "CD", "quantity": 1, "unit_price": 10}]},
        {"payment": {"method": "card_flaky"}},
        {"currency": "EUR"},
        {"reference": "r"},
        {"shipping": {"city": "Springfield"}},
    ],
)
def test_what_differs_has_another(changes: dict[str, Any]) -> None:
    assert fingerprint(**changes) != fingerprint()
