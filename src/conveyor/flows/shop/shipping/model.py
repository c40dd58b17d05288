"""Rules of shipping: where a shipment can be, and what to do when nobody confirms it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

DELIVERY_SECONDS = 7 * 86_400.0
"""How long a delivery may take before the carrier is asked about it."""

MAX_ENQUIRIES = 3
"""How often the carrier is asked about an overdue shipment before an operator is."""


class ShipmentState(StrEnum):
    """How a shipment stands: one word for each, stored and sent as it is written."""

    REQUESTED = "requested"
    DISPATCHED = "dispatched"
    DELIVERED = "delivered"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Line:
    """So many of an article."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Goods:
    """What shipping reads of an order's body; the address is as it was given."""

    items: tuple[Line, ...]
    shipping: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Shipment:
    """An order's goods on their way. `carrier_key` is the key under which the carrier has them.

    `tracking` and `carrier_key` are '' until the carrier has answered; `enquiries` counts the
    deadlines that passed. Times are milliseconds since the epoch.
    """

    order_id: str
    state: ShipmentState
    carrier_key: str
    tracking: str
    enquiries: int
    requested_at: int
    delivered_at: int | None

    @property
    def delivered(self) -> bool:
        """Whether it arrived: nothing changes that any more."""
        return self.state == ShipmentState.DELIVERED

    def may_be(self, tracking: str) -> bool:
        """Whether this can be the parcel with that number: as long as we know of no other."""
        return self.tracking in {"", tracking}


def may_enquire(shipment: Shipment, limit: int) -> bool:
    """Whether the carrier is to be asked once more about an overdue shipment."""
    return shipment.enquiries < limit
