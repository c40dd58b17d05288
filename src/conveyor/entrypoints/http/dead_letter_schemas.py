"""What the API takes and gives of what waits for an operator."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from conveyor.commerce.orders.model import SingleLine
from conveyor.entrypoints.http.schemas import Amount, Body, OrderId, Status, Time


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
    was: Status = Field(description="The status that it had before.")
    owed: Money | None = Field(description="What its customer is still to get back.")
    to_collect: Money | None = Field(
        description="What its customer is still to pay for what was delivered."
    )
    holds_back: int = Field(description="Orders that wait behind it in its message group.")


class ParkedDetail(ParkedView):
    """With all that is known of the cause."""

    traceback: str
    undoes: list[str] = Field(
        description="The compensations that `compensate`, or where it is too late for that "
        "`discard`, would run."
    )


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
    not_shown: dict[str, int] = Field(
        description="How many messages there are beside these, by queue; they follow once those "
        "that are shown are decided about.",
        examples=[{"intake": 400}],
    )
    next: OrderId | None


class DrainedQueue(BaseModel):
    """What was taken out of a dead-letter queue, to be kept in the database."""

    queue: str
    count: int
    more: bool = Field(description="Whether there may be some left.")
    failed: str | None = Field(description="Why it could not be looked at, or not to its end.")


class Drained(BaseModel):
    """What was drained, queue by queue."""

    queues: list[DrainedQueue]


class ReasonBody(Body):
    """Why; it is kept in the timeline."""

    reason: Annotated[SingleLine, StringConstraints(min_length=1)]


class Decided(BaseModel):
    """What was done, and the compensations that run now, in order.

    `unless` names a step whose call is in doubt and that nothing undoes: it is asked about first,
    and should it have taken effect, the order goes on instead.
    """

    kind: Literal["order", "message"]
    id: str
    did: Literal["redriven", "compensating", "discarded"]
    steps: list[str]
    unless: str | None = None
