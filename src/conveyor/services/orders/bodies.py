"""Which body an order has: its flow is read first, then all of it as that flow's model."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from conveyor.services.orders.model import OrderBody


class _Head(BaseModel):
    flow: object = "shop"


class Bodies:
    """Reads orders of every installed flow."""

    def __init__(self, by_flow: Mapping[str, type[OrderBody]]) -> None:
        """Flows that are not named have the plain `OrderBody`."""
        self._by_flow = dict(by_flow)

    @property
    def models(self) -> tuple[type[OrderBody], ...]:
        """All models, the plain one first."""
        return (OrderBody, *dict.fromkeys(self._by_flow.values()))

    def read_json(self, raw: bytes | str) -> OrderBody:
        """Read JSON text. Raises pydantic's `ValidationError`."""
        return self.model(_Head.model_validate_json(raw).flow).model_validate_json(raw)

    def read(self, value: object) -> OrderBody:
        """Read a JSON value. Raises pydantic's `ValidationError`."""
        head = _Head.model_validate(value) if isinstance(value, dict) else _Head()
        return self.model(head.flow).model_validate(value)

    def model(self, flow: object) -> type[OrderBody]:
        """Give the model of a flow's orders, by the flow's name."""
        return self._by_flow.get(flow, OrderBody) if isinstance(flow, str) else OrderBody
