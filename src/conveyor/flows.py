"""START HERE: the routing slips.

A flow is a list of steps, each `service.step`, with the step that undoes it. An order goes down
the list; a refusal sends it back up, through the `undo` of every step that was done.
"""

from __future__ import annotations

from conveyor.messaging.routing_slip import Flow, Step

SHOP = Flow(
    name="shop",
    version=1,
    steps=(
        Step("payments.authorize", undo="payments.void"),
        Step("inventory.reserve", undo="inventory.release"),
        # The pivot: before it a refusal undoes, after it we go forward or refund.
        Step("payments.capture", undo="payments.refund"),
        # Waits for the carrier to confirm the delivery; the goods are sold once it has them.
        Step("shipping.ship", also=("inventory.sell",)),
        Step("orders.complete"),
    ),
    cancel_until="shipping.ship",
)

RENEWAL = Flow(
    name="renewal",
    version=1,
    steps=(
        # A decline is no refusal yet: it awaits another card, and is tried again on other days.
        Step("payments.charge", undo="payments.refund"),
        Step("subscriptions.extend", undo="subscriptions.retract"),
        Step("orders.complete"),
    ),
    cancel_until="subscriptions.extend",
)
