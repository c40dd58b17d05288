"""What shipping asks of a carrier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

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
    After its `call_seconds`, or what the settings say, a request is cut off, and nothing may be
    sent any more.
    """

    async def dispatch(self, parcel: Parcel, key: str) -> CarrierAnswer:
        """Take a parcel; asked again with a key that it has, the carrier gives the same answer."""
        ...

    async def status(self, key: str) -> CarrierAnswer | None:
        """Give what became of the parcel with this key; None: it never arrived."""
        ...


class ParcelOnRecord(NamedTuple):
    """A parcel in the carrier's own books; `arrives_at` in milliseconds, None where it was lost.

    What the carrier has `told` us of has arrived, whatever the clocks say.
    """

    key: str
    order_id: str
    tracking: str
    arrives_at: int | None
    told: bool = False


@runtime_checkable
class Statement(Protocol):
    """A carrier that can say what it has: `conveyor audit` holds our shipments to it."""

    async def statement(self, keys: Sequence[str]) -> Mapping[str, ParcelOnRecord]:
        """Give the parcels of these keys, from its own books; nothing for those without any."""
        ...


@runtime_checkable
class OpenLedger(Statement, Protocol):
    """A carrier whose books can be read through: the audit then looks for our orders of them."""

    async def parcels_after(self, key: str) -> Sequence[ParcelOnRecord]:
        """Give the next parcels with greater keys, by their keys; none at the end."""
        ...
