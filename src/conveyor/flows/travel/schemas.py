"""What the API takes and gives of flights and hotel nights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from conveyor.commerce.orders.model import PRINTABLE, WHOLE
from conveyor.entrypoints.http.schemas import Body
from conveyor.flows.travel.body import Day, Name
from conveyor.flows.travel.bookings.model import (
    MAX_CAPACITY,
    MAX_OVERBOOKING_PERCENT,
    Offer,
    Resource,
    resource_name,
)

MAX_IMPORT = 5_000

Kind = Literal["flight", "hotel"]
Capacity = Annotated[int, Field(ge=0, le=MAX_CAPACITY), WHOLE]
PerCent = Annotated[int, Field(ge=0, le=MAX_OVERBOOKING_PERCENT), WHOLE]
Description = Annotated[str, StringConstraints(max_length=200, pattern=PRINTABLE)]


class ResourceBody(Body):
    """What there is of a flight, or of a hotel for one night."""

    capacity: Capacity = Field(description="Seats or rooms.")
    overbooking: PerCent = Field(
        default=0, description="Given away beyond the capacity: per cent of it, rounded down."
    )
    description: Description = ""


class ResourceRow(ResourceBody):
    """One resource of an import."""

    kind: Kind
    name: Name
    date: Day

    def offer(self) -> Offer:
        """Give what it says."""
        name = resource_name(self.kind, self.name, self.date)
        return Offer(name, self.capacity, self.overbooking, self.description)


class ResourceImport(Body):
    """Many resources at once, all or none; of several rows of one resource the last counts."""

    resources: list[ResourceRow] = Field(max_length=MAX_IMPORT)


class ResourcesImported(BaseModel):
    """How many resources were set."""

    resources: int


class ResourceView(BaseModel):
    """A resource, and what of it can be had now."""

    kind: Kind
    name: str
    date: str
    capacity: int
    overbooking: int
    description: str
    held: int = Field(description="Seats or rooms that are not paid for yet.")
    booked: int
    free: int = Field(description="What can still be given away, overbooking included.")
    waiting: int = Field(description="Requests that wait; they come before all others.")

    @classmethod
    def of(cls, resource: Resource) -> ResourceView:
        """Show a resource."""
        kind, name, date = resource.name.split("/", 2)
        facts = {field: getattr(resource, field) for field in _SHOWN}
        return cls.model_validate({"kind": kind, "name": name, "date": date, **facts})


_SHOWN = ("capacity", "overbooking", "description", "held", "booked", "free", "waiting")


class ResourcePage(BaseModel):
    """Resources by kind, name and date; `next` is the cursor of the next page."""

    resources: list[ResourceView]
    next: str | None


BODIES: tuple[type[BaseModel], ...] = (ResourceBody, ResourceImport)
