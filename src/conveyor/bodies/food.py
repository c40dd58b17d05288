"""A food order: what is eaten, from which restaurant, and where it goes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from conveyor.services.orders.model import OrderBody, Word

Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class Position(BaseModel):
    """Degrees, WGS 84."""

    model_config = ConfigDict(extra="forbid", strict=True)

    latitude: Latitude
    longitude: Longitude


class FoodBody(OrderBody):
    """A meal to be prepared by a restaurant and brought by a rider."""

    flow: Word = "food"
    restaurant: Word
    drop_off: Position | None = Field(None, description="Where the rider takes it.")
