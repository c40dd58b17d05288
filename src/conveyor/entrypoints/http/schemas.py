"""What the API takes and gives, beside the order's own body. Money is in minor units."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
)

from conveyor.commerce.orders.model import Customer, Item, Payment, Shipping, SingleLine
from conveyor.core.order_status import OrderStatus
from conveyor.core.rfc3339 import iso

ORDER_ID_PATTERN = r"^[0-9A-HJKMNP-TV-Z]{26}$"
KEY_PATTERN = r"^[\x20-\x7e]{1,255}$"
AN_ORDER = "01KDVXQG0053EJ2M8Q4N7T6WAB"
A_TIME = "2026-01-01T12:00:00.000+00:00"


def _no_number(value: object) -> object:
    """Pydantic takes seconds since 1970 too, which OpenAPI's `date-time` does not."""
    if not isinstance(value, str) or ":" not in value:
        raise ValueError(f"is a time such as {A_TIME}")
    return value


# Not strict: what a validator hands on is no JSON any more, of which a text would be a time.
Instant = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_no_number)]
"""A time that comes in, with its offset; `Time` is one that goes out."""
OrderId = Annotated[str, Field(pattern=ORDER_ID_PATTERN, examples=[AN_ORDER])]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=[A_TIME])]
Amount = Annotated[int, Field(ge=0)]
Counts = dict[str, int]
if TYPE_CHECKING:
    Status = OrderStatus
else:  # the API's description names the words where they stand, and not by a schema of its own
    Status = Literal[*OrderStatus]


class Body(BaseModel):
    """What comes in is taken strictly: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Placed(BaseModel):
    """The order is on disk and on its way; the same key and body are answered with the same."""

    id: OrderId
    placed_at: Time
    location: str = Field(description="Where to look at it.", examples=[f"/v1/orders/{AN_ORDER}"])
    amount: str = Field(description="Its total in words.", examples=["USD 23.54"])


class OrderView(BaseModel):
    """An order, and where it is on its way."""

    id: OrderId
    status: Status
    flow: str
    flow_version: int
    merchant: str
    reference: str
    customer_id: str
    currency: str
    total: Amount
    step: str | None = Field(description="The step it is owed or awaits; null at its end.")
    reason: str = Field(
        description="Why it was refused, cancelled, refunded or turned back; else empty."
    )
    cancelling: bool = Field(description="It turns back when the call that is open has ended.")
    version: int
    placed_at: Time
    updated_at: Time
    settled_at: Time | None


class ArchivedView(BaseModel):
    """An order that is not in the database any more, and the file that has it."""

    id: OrderId
    archived_at: Time
    file: str = Field(description="Its name, in the directory of the archive.")


class OrderDetail(OrderView):
    """An order as it was placed, with whatever its flow adds, and where it is on its way."""

    model_config = ConfigDict(extra="allow")

    customer: Customer
    items: list[Item]
    payment: Payment
    shipping: Shipping
    metadata: dict[str, JsonValue]
    archived: ArchivedView | None = Field(
        default=None, description="Where it is, if it is in the archive."
    )


class OrderPage(BaseModel):
    """Orders, newest first; `next` is the cursor of the next page."""

    orders: list[OrderView]
    next: OrderId | None


class TimelineEntry(BaseModel):
    """Something that happened to an order."""

    at: Time
    event: str = Field(examples=["done"])
    step: str = Field(examples=["payments.authorize"])
    attempt: int = Field(description="How often the message had been received.")
    version: int = Field(description="The order's version at that moment.")
    detail: dict[str, JsonValue]


class Timeline(BaseModel):
    """What happened to an order, oldest first."""

    order: OrderId
    entries: list[TimelineEntry]


class CancelBody(Body):
    """Why; it is kept in the timeline."""

    reason: SingleLine = ""


class CancelAnswer(BaseModel):
    """What becomes of the money, and the compensations that are still to run, in order.

    `void`: it was never charged. `refund`: all of it is paid back. `part_refund`: the flow's policy
    keeps a part of it, this late.
    """

    outcome: Literal["void", "refund", "part_refund", "nothing_to_return"]
    status: Status = Field(
        description="Where the order is now: `cancelled` as soon as nothing is left to undo.",
        examples=["compensating"],
    )
    kept: Amount | None = Field(None, description="The fee, with `part_refund`, in minor units.")
    returned: Amount | None = Field(None, description="The rest, which is let go of or paid back.")
    currency: str | None = Field(None, description="That of both sums.")
    steps: list[str] = Field(examples=[["inventory.release", "payments.void"]])


class AnswerTaken(BaseModel):
    """The answer is on disk, and the order goes on."""

    order: OrderId
    step: str = Field(examples=["refunds.decide"])


class Queued(BaseModel):
    """The message is in the queue; what becomes of it shows in its order, or the dead letters."""

    queue: str
    amount: str | None = Field(
        None,
        description="The total of the plain form in words: it is in major units.",
        examples=["USD 100.00"],
    )


def when(at_ms: int | None) -> str | None:
    """Give a time as text; None stays None."""
    return None if at_ms is None else iso(at_ms)


def ms_of(moment: datetime | None) -> int | None:
    """Give the milliseconds since the epoch of a time; None stays None."""
    return None if moment is None else round(moment.timestamp() * 1000)
