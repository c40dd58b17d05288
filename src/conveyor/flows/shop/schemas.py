"""What the API takes and gives of stock."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from conveyor.commerce.orders.model import WHOLE, Word
from conveyor.entrypoints.http.schemas import Body
from conveyor.flows.shop.inventory.model import MAX_AVAILABLE

MAX_STOCK_ROWS = 10_000

Available = Annotated[int, Field(ge=0, le=MAX_AVAILABLE), WHOLE]


class Confirmed(BaseModel):
    """What became of a confirmation."""

    outcome: Literal["taken", "not_awaited", "unknown_order", "not_its_parcel"]


class StockBody(Body):
    """How many units there are to sell, from now on."""

    available: Available


class StockRow(Body):
    """One SKU of an import."""

    sku: Word
    available: Available


class StockImport(Body):
    """Many SKUs at once, all or none; of several rows of one SKU the last counts."""

    stock: list[StockRow] = Field(max_length=MAX_STOCK_ROWS)


class StockImported(BaseModel):
    """How many SKUs were set."""

    skus: int


class StockView(BaseModel):
    """Units of a SKU; available, reserved and sold add up to received."""

    sku: str
    received: int
    available: int
    reserved: int
    sold: int


class StockPage(BaseModel):
    """Stock by SKU; `next` is the cursor of the next page."""

    stock: list[StockView]
    next: str | None


BODIES: tuple[type[BaseModel], ...] = (StockBody, StockImport)
