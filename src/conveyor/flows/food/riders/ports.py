"""What riders needs to know of whoever prepares what they carry."""

from __future__ import annotations

from typing import Protocol

from conveyor.core.order import Order
from conveyor.core.transaction import Tx
from conveyor.flows.food.riders.model import Point


class Kitchens(Protocol):
    """Where orders are picked up."""

    def pickup_of(self, tx: Tx, order: Order) -> Point | None:
        """Say where; None when nobody knows any more."""
        ...

    def collected(self, tx: Tx, order: Order) -> None:
        """Take note that a rider has it; harmless twice."""
        ...
