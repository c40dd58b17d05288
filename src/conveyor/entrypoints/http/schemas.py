"""What the API takes and gives, beside the order's own body. Money is in minor units."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    field_validator,
)

from conveyor.messaging.message import iso
from conveyor.services.access.model import KEY_ID_PATTERN
from conveyor.services.inventory.model import MAX_AVAILABLE
from conveyor.services.orders.model import WHOLE, Customer, Item, Line, Payment, Shipping, Word

ORDER_ID_PATTERN = r"^[0-9A-HJKMNP-TV-Z]{26}$"
KEY_PATTERN = r"^[\x20-\x7e]{1,255}$"
MAX_STOCK_ROWS = 10_000
AN_ORDER = "01KDVXQG0053EJ2M8Q4N7T6WAB"
A_TIME = "2026-01-01T12:00:00.000+00:00"

OrderId = Annotated[str, Field(pattern=ORDER_ID_PATTERN, examples=[AN_ORDER])]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=[A_TIME])]
Amount = Annotated[int, Field(ge=0)]
Counts = dict[str, int]
Status = Literal[
    "processing", "awaiting", "compensating", "parked", "completed", "cancelled", "refused"
]
Scope = Literal["place", "read", "operate", "restaurant", "rider"]
Available = Annotated[int, Field(ge=0, le=MAX_AVAILABLE), WHOLE]


class Body(BaseModel):
    """What comes in is taken strictly: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Placed(BaseModel):
    """The order is on disk and on its way; the same key and body are answered with the same."""

    id: OrderId
    placed_at: Time
    location: str = Field(description="Where to look at it.", examples=[f"/v1/orders/{AN_ORDER}"])


class OrderView(BaseModel):
    """An order, and where it is on its way."""

    id: OrderId
    status: Status
    flow: str
    flow_version: int
    reference: str
    customer_id: str
    currency: str
    total: Amount
    step: str | None = Field(description="The step it is owed or awaits; null at its end.")
    reason: str = Field(description="Why it was refused, cancelled or turned back; else empty.")
    cancelling: bool = Field(description="It turns back when the call that is open has ended.")
    version: int
    placed_at: Time
    updated_at: Time
    settled_at: Time | None


class OrderDetail(OrderView):
    """An order as it was placed, with whatever its flow adds, and where it is on its way."""

    model_config = ConfigDict(extra="allow")

    customer: Customer
    items: list[Item]
    payment: Payment
    shipping: Shipping
    metadata: dict[str, JsonValue]


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

    reason: Line = ""


class CancelAnswer(BaseModel):
    """What becomes of the money, and the compensations that are still to run, in order.

    `void`: it was never charged. `refund`: all of it is paid back. `part_refund`: the flow's policy
    keeps a part of it, this late.
    """

    outcome: Literal["void", "refund", "part_refund", "nothing_to_return"]
    kept: Amount | None = Field(None, description="The fee, with `part_refund`, in minor units.")
    returned: Amount | None = Field(None, description="The rest, which is let go of or paid back.")
    steps: list[str] = Field(examples=[["inventory.release", "payments.void"]])


class AnswerTaken(BaseModel):
    """The answer is on disk, and the order goes on."""

    order: OrderId
    step: str = Field(examples=["refunds.decide"])


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


class Money(BaseModel):
    """An amount in minor units."""

    amount: Amount
    currency: str


class ParkedView(BaseModel):
    """An order that waits for an operator."""

    kind: Literal["order"] = "order"
    id: OrderId
    merchant: str
    step: str
    cause: str
    attempts: int
    parked_at: Time
    was: Status = Field(description="The status that a redrive gives it back.")
    owed: Money | None = Field(description="What its customer is still to get back.")
    holds_back: int = Field(description="Orders that wait behind it in its message group.")


class ParkedDetail(ParkedView):
    """With all that is known of the cause."""

    traceback: str
    undoes: list[str] = Field(description="The compensations that `compensate` would run.")


class PoisonView(BaseModel):
    """A message that could never be handled; `queue` is where it came from."""

    kind: Literal["message"] = "message"
    id: str
    queue: str
    cause: str
    body: str
    sent_at: Time


class DeadLetters(BaseModel):
    """What waits for an operator; `next` is the cursor of the next page of orders."""

    orders: list[ParkedView]
    messages: list[PoisonView]
    next: OrderId | None


class ReasonBody(Body):
    """Why; it is kept in the timeline."""

    reason: Annotated[Line, StringConstraints(min_length=1)]


class Decided(BaseModel):
    """What was done, and the compensations that run now, in order."""

    kind: Literal["order", "message"]
    id: str
    did: Literal["redriven", "compensating", "discarded"]
    steps: list[str]


class KeyBody(Body):
    """What a new key may do. `merchant` is your own unless you own the data directory."""

    scopes: list[Scope] = Field(min_length=1, json_schema_extra={"uniqueItems": True})
    subject: Word | None = Field(None, description="The one restaurant or rider it speaks for.")
    label: Line = ""
    merchant: Word | None = None

    @field_validator("scopes")
    @classmethod
    def _once(cls, value: list[Scope]) -> list[Scope]:
        if len(set(value)) < len(value):
            raise ValueError("names a scope twice")
        return value


class KeyView(BaseModel):
    """An API key, without its secret."""

    id: str = Field(pattern=f"^{KEY_ID_PATTERN}$")
    merchant: str
    scopes: list[Scope]
    subject: str | None
    label: str
    created_at: Time
    revoked_at: Time | None


class NewKey(KeyView):
    """With its secret, which is shown this once."""

    key: str


class Keys(BaseModel):
    """API keys, oldest first."""

    keys: list[KeyView]


class Latency(BaseModel):
    """Milliseconds from placed to settled; null while nothing is settled."""

    p50: int | None
    p99: int | None


class SummaryView(BaseModel):
    """How orders stand. While some are open, all but `open` may be a little older."""

    placed: int
    open: int = Field(description="Neither at their end nor parked.")
    by_status: Counts = Field(examples=[{"completed": 1000}])
    captured: Counts = Field(description="Minor units by currency.", examples=[{"USD": 2354000}])
    refunded: Counts
    refused_because: Counts = Field(description="The most frequent reasons.")
    latency_ms: Latency
    sqs_requests: int | None = Field(
        default=None, description="Requests made to SQS by all processes, ever; null: embedded."
    )


class Confirmed(BaseModel):
    """What became of a confirmation."""

    outcome: Literal["taken", "not_awaited", "unknown_order"]


class Queued(BaseModel):
    """The message is in the queue; what becomes of it shows in its order, or the dead letters."""

    queue: str


class Health(BaseModel):
    """What answers."""

    status: Literal["ok"] = "ok"


class Audit(BaseModel):
    """Each invariant, and what breaks it."""

    model_config = ConfigDict(extra="allow")

    clean: bool
    violations: int
    checks: list[dict[str, Any]]


def when(at_ms: int | None) -> str | None:
    """Give a time as text; None stays None."""
    return None if at_ms is None else iso(at_ms)
