"""What the API takes and gives of restaurants, tickets, riders and offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, Field, StringConstraints, field_validator

from conveyor.commerce.orders.model import WHOLE, Item, Shipping, SingleLine, Word
from conveyor.entrypoints.http.schemas import AN_ORDER, Body, Instant, OrderId, Time
from conveyor.flows.food.body import Latitude, Longitude, Position
from conveyor.flows.food.restaurants.model import (
    MAX_MINUTES,
    MAX_PREPARING,
    SPAN_PATTERN,
    TicketState,
)
from conveyor.flows.food.riders.model import MAX_CAPACITY, OfferState

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$"
MAX_SPANS = 8

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Span = Annotated[str, StringConstraints(pattern=SPAN_PATTERN)]
Behaviour = Literal["prompt", "slow", "refusing", "silent"]
RiderBehaviour = Literal["prompt", "slow", "refusing", "silent", "vanishing", "straying"]
if TYPE_CHECKING:
    StateOfTicket = TicketState
    StateOfOffer = OfferState
else:  # as with orders: the words stand in the API's description where they are used
    StateOfTicket = Literal[*TicketState]
    StateOfOffer = Literal[*OfferState]


class RestaurantBody(Body):
    """Where it is, when it is open and how much it takes on."""

    latitude: Latitude
    longitude: Longitude
    zone: Word = "UTC"
    hours: dict[Day, Annotated[list[Span], Field(max_length=MAX_SPANS)]] = Field(
        default_factory=dict,
        description="By day, in its time zone; `18:00-02:00` ends on the next. None: always.",
        examples=[{"fri": ["11:30-14:30", "18:00-02:00"]}],
    )
    max_preparing: Annotated[int, Field(ge=0, le=MAX_PREPARING), WHOLE] = 20
    paused: bool = False
    simulated: Behaviour | None = Field(None, description="How a simulated one behaves.")

    @field_validator("zone")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("is no time zone such as Europe/Berlin")
        return ZoneInfo(value).key


class RestaurantView(RestaurantBody):
    """A restaurant, and what it prepares now."""

    id: str
    is_open: bool
    preparing: int


class RestaurantPage(BaseModel):
    """Restaurants by id; `next` is the cursor of the next page."""

    restaurants: list[RestaurantView]
    next: str | None


class AcceptBody(Body):
    """In how many minutes it will be ready."""

    minutes: Annotated[int, Field(ge=1, le=MAX_MINUTES), WHOLE]


class RejectBody(Body):
    """Why not; the customer is told."""

    reason: Annotated[SingleLine, StringConstraints(min_length=1)]


class TicketView(BaseModel):
    """An order as its restaurant sees it."""

    order: OrderId = Field(examples=[AN_ORDER])
    state: StateOfTicket
    reference: str
    items: list[Item]
    asked_at: Time
    answer_by: Time | None = Field(description="While it is asked.")
    due_at: Time | None = Field(description="When it was promised to be ready.")
    ready_at: Time | None
    reason: str


class Tickets(BaseModel):
    """Tickets, the oldest order first; `next` is the cursor of the next page."""

    tickets: list[TicketView]
    next: OrderId | None


class RiderBody(Body):
    """Where a rider is, until when on shift, and how many orders at once."""

    latitude: Latitude
    longitude: Longitude
    shift_until: Instant | None = Field(None, description="None: off shift.")
    capacity: Annotated[int, Field(ge=1, le=MAX_CAPACITY), WHOLE] = 1
    simulated: RiderBehaviour | None = Field(None, description="How a simulated one behaves.")


class ShiftBody(Body):
    """Until when the rider can be offered orders; null ends the shift."""

    until: Instant | None


class RiderView(BaseModel):
    """A rider; `load` counts the orders that are offered or carried."""

    id: str
    latitude: float
    longitude: float
    shift_until: Time | None
    capacity: int
    load: int
    heard_at: Time
    simulated: RiderBehaviour | None


class RiderPage(BaseModel):
    """Riders by id; `next` is the cursor of the next page."""

    riders: list[RiderView]
    next: str | None


class OfferView(BaseModel):
    """An order that is offered to or carried by a rider; the address comes once it is accepted."""

    order: OrderId = Field(examples=[AN_ORDER])
    state: StateOfOffer
    metres: int = Field(description="From the rider to the restaurant, when it was offered.")
    offered_at: Time
    answer_by: Time
    restaurant: str
    pickup: Position | None
    drop_off: Position | None
    shipping: Shipping | None


class Offers(BaseModel):
    """What a rider is offered or carries, oldest first."""

    offers: list[OfferView]


class Taken(BaseModel):
    """It is on disk, and the order goes on."""

    order: OrderId = Field(examples=[AN_ORDER])


BODIES: tuple[type[BaseModel], ...] = (
    RestaurantBody,
    AcceptBody,
    RejectBody,
    RiderBody,
    ShiftBody,
    Position,
)
"""What is parsed by us."""
