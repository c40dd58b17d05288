"""What the steps of a flow are, and what undoes each: of our flows said here once more.

By version: a slip that changes is another version beside the old, and is judged by a line of its
own. A flow of a user's own is believed: nobody else could say it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from conveyor.core.routing_slip import Flow
from conveyor.testing.calls import UnknownVersionError

if TYPE_CHECKING:
    from conveyor.system.installation import Installation


@dataclass(frozen=True, slots=True)
class Slip:
    """Forward steps in their order, with what undoes each.

    `each` names lists in the body, for whose members a step is done; `also` are the steps that are
    taken along with others. A cancellation keeps `fee_per_cent` once the step `fee_after` is done.
    """

    undo: Mapping[str, str]
    each: Mapping[str, str] = field(default_factory=dict)
    also: frozenset[str] = frozenset()
    fee_after: str = ""
    fee_per_cent: int = 0

    def has(self, *steps: str) -> bool:
        """Whether it has one of these."""
        return any(step in self.undo or step in self.also for step in steps)


OURS: dict[str, Slip] = {
    "shop@1": Slip(
        {
            "payments.authorize": "payments.void",
            "inventory.reserve": "inventory.release",
            "payments.capture": "payments.refund",
            "shipping.ship": "",
            "orders.complete": "",
        },
        also=frozenset({"inventory.sell"}),
    ),
    "food@1": Slip(
        {
            "payments.authorize": "payments.void",
            "restaurants.confirm": "restaurants.withdraw",
            "riders.assign": "riders.release",
            "riders.deliver": "",
            "payments.capture": "payments.refund",
            "orders.complete": "",
        },
        fee_after="restaurants.confirm",
        fee_per_cent=50,
    ),
    "travel@1": Slip(
        {
            "bookings.hold": "bookings.release",
            "payments.authorize": "payments.void",
            "payments.capture": "payments.refund",
            "bookings.confirm": "",
            "orders.complete": "",
        },
        each={"bookings.hold": "legs"},
    ),
    "renewal@1": Slip(
        {
            "payments.charge": "payments.refund",
            "subscriptions.extend": "subscriptions.retract",
            "orders.complete": "",
        }
    ),
}


class Slips:
    """The slips of all flows that are installed."""

    def __init__(self, added: Iterable[Flow] = ()) -> None:
        """`added` are those of packages that extend us."""
        self._added = {flow.key: _slip(flow) for flow in added}

    def __getitem__(self, key: str) -> Slip:
        """Give that by which orders of `shop@1` go. Raises `UnknownVersionError`."""
        slip = self._added.get(key) or OURS.get(key)
        if slip is None:
            raise UnknownVersionError(key, f"{__name__}.OURS")
        return slip


def slips_of(installed: Installation) -> Slips:
    """Give those of all that is installed."""
    return Slips(flow for extension in installed.added for flow in extension.flows)


def _slip(flow: Flow) -> Slip:
    undo = {step.name: step.undo for step in flow.steps}
    each = {step.name: step.each for step in flow.steps if step.each}
    also = frozenset(name for step in flow.steps for name in step.also)
    if flow.fee is None:
        return Slip(undo, each, also)
    return Slip(undo, each, also, flow.fee.after, flow.fee.per_cent)
