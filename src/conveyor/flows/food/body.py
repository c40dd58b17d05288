"""A food order: what is eaten, from which restaurant, and where it goes."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from conveyor.commerce.orders.model import PERSONAL, OrderBody, Word

Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class Position(BaseModel):
    """Degrees, WGS 84."""

    model_config = ConfigDict(extra="forbid", strict=True)

    latitude: Latitude
    longitude: Longitude


def _somewhere(schema: dict[str, Any]) -> None:
    """Say what `_has_address` checks, beside what else depends on a field's presence."""
    line1 = {"required": ["line1"], "properties": {"line1": {"minLength": 1}}}
    schema["dependentSchemas"] = {
        "restaurant": {
            "anyOf": [
                {"required": ["drop_off"], "properties": {"drop_off": {"type": "object"}}},
                {"required": ["shipping"], "properties": {"shipping": line1}},
            ]
        }
    }


class FoodBody(OrderBody):
    """A meal to be prepared by a restaurant and brought by a rider."""

    model_config = ConfigDict(json_schema_extra=_somewhere)

    flow: Word = "food"
    restaurant: Word
    drop_off: Annotated[Position | None, PERSONAL] = Field(
        None, description="Where the rider takes it; without it, `shipping.line1` must say so."
    )

    @model_validator(mode="after")
    def _has_address(self) -> Self:
        if self.drop_off is None and not self.shipping.line1:
            raise ValueError("drop_off: is needed, or shipping.line1: where the meal goes")
        return self
