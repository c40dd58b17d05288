"""Which body an order has: its flow is read first, then all of it as that flow's model."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from conveyor.commerce.orders.model import DEFAULT_FLOW, OrderBody
from conveyor.commerce.orders.raw_json import flaw_of

ADDRESS_MISSING = "is needed: it says where the goods go"


class _Head(BaseModel):
    flow: object = DEFAULT_FLOW


class Bodies:
    """Reads orders of every installed flow."""

    def __init__(self, by_flow: Mapping[str, type[OrderBody]], ships: Collection[str] = ()) -> None:
        """Flows that are not named have the plain `OrderBody`; `ships`: these need an address."""
        self._by_flow = dict(by_flow)
        self.ships = frozenset(ships)

    @property
    def models(self) -> tuple[type[OrderBody], ...]:
        """All models, the plain one first."""
        return (OrderBody, *dict.fromkeys(self._by_flow.values()))

    def read_json(self, raw: bytes | str) -> OrderBody:
        """Read JSON text. Raises pydantic's `ValidationError`."""
        if flaw := flaw_of(raw):
            why = PydanticCustomError("unreadable", "{flaw}", {"flaw": flaw})
            error = InitErrorDetails(type=why, loc=(), input=None)
            raise ValidationError.from_exception_data(OrderBody.__name__, [error])
        model = self.model(_Head.model_validate_json(raw).flow)
        return self._with_address(model.model_validate_json(raw))

    def read(self, value: object) -> OrderBody:
        """Read a JSON value. Raises pydantic's `ValidationError`."""
        head = _Head.model_validate(value) if isinstance(value, dict) else _Head()
        return self._with_address(self.model(head.flow).model_validate(value))

    def model(self, flow: object) -> type[OrderBody]:
        """Give the model of a flow's orders, by the flow's name."""
        return self._by_flow.get(flow, OrderBody) if isinstance(flow, str) else OrderBody

    def _with_address(self, body: OrderBody) -> OrderBody:
        """Give it back. Raises `ValidationError` when what it ships has nowhere to go.

        The country is all that is asked for: what else belongs to an address differs by country.
        """
        if body.flow not in self.ships or body.shipping.country:
            return body
        why = PydanticCustomError("address_missing", ADDRESS_MISSING)
        error = InitErrorDetails(type=why, loc=("shipping", "country"), input=None)
        raise ValidationError.from_exception_data(type(body).__name__, [error])
