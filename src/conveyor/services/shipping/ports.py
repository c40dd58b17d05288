"""What shipping asks of a carrier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

IN_TRANSIT = "in_transit"
ARRIVED = "arrived"
LOST = "lost"


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be shipped, and to whom; `address` is the order's, as free text.

    `replaces` is the key of a lost shipment that this one stands in for; '' for none.
    """

    order_id: str
    address: Mapping[str, Any]
    items: tuple[tuple[str, int], ...]
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """The carrier has it. `state` is one of `IN_TRANSIT`, `ARRIVED`, `LOST`."""

    tracking: str
    state: str = IN_TRANSIT


@dataclass(frozen=True, slots=True)
class Rejected:
    """A business no: the carrier will not take this parcel, however often it is asked."""

    reason: str


CarrierAnswer = Dispatched | Rejected


class Carrier(Protocol):
    """A carrier: one key, one shipment, however often it is asked for.

    Both raise `NotAppliedError` when it is certain that nothing was taken (it comes again with the
    same key), `KeySpentError` when moreover nothing ever will be with this key (then another is
    tried), and `UnansweredError`, or anything else, when that is not known; then `status` tells.
    After `CONVEYOR_CALL_TIMEOUT_SECONDS` a request is cut off, and nothing may be sent any more.
    """

    async def dispatch(self, parcel: Parcel, key: str) -> CarrierAnswer:
        """Take a parcel; asked again with a key that it has, the carrier gives the same answer."""
        ...

    async def status(self, key: str) -> CarrierAnswer | None:
        """Give what became of the parcel with this key; None: it never arrived."""
        ...
