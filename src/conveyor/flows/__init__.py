"""START HERE: the routing slips.

A flow is a list of steps, each `service.step`, with the step that undoes it. An order goes down
the list; a refusal sends it back up, through the `undo` of every step that was done, or has begun.
`payments.*` and `orders.complete` are of no flow: they are in `commerce/`, wired in
`system/commerce.py`; a folder here has the services of its flow.
An order keeps the version with which it began: a list that changes is a new version beside the old,
and the simulator judges it by an entry of its own in `testing/invariants/slips.py`.
"""

from __future__ import annotations

from conveyor.core.routing_slip import Fee, Flow, Step

SHOP = Flow(
    name="shop",
    version=1,
    steps=(
        Step("payments.authorize", undo="payments.void"),
        Step("inventory.reserve", undo="inventory.release"),
        # Before it a refusal undoes, after it we go forward or refund.
        Step("payments.capture", undo="payments.refund"),
        # Waits for the carrier to confirm the delivery; the goods are sold once it has them.
        Step("shipping.ship", also=("inventory.sell",)),
        Step("orders.complete"),
    ),
    cancel_until="shipping.ship",
)

FOOD = Flow(
    name="food",
    version=1,
    steps=(
        Step("payments.authorize", undo="payments.void"),
        # Waits for the restaurant: accepted, rejected, or no answer in time, which is a no.
        Step("restaurants.confirm", undo="restaurants.withdraw"),
        # Waits for one rider after the other, until one accepts or nobody is left.
        Step("riders.assign", undo="riders.release"),
        # Waits for the pick-up and the delivery. Who goes silent before the pick-up is replaced.
        Step("riders.deliver"),
        Step("payments.capture", undo="payments.refund"),
        Step("orders.complete"),
    ),
    # Until the food is on its way; free until the restaurant accepts, then half of it is kept.
    cancel_until="riders.deliver",
    # A meal that was brought is eaten: what cannot be captured then is money to be collected.
    pivot="riders.deliver",
    fee=Fee(after="restaurants.confirm", per_cent=50),
)

TRAVEL = Flow(
    name="travel",
    version=1,
    steps=(
        # One leg after the other, each in the order in which its flight or night was asked for.
        Step("bookings.hold", undo="bookings.release", each="legs"),
        Step("payments.authorize", undo="payments.void"),
        Step("payments.capture", undo="payments.refund"),
        # Refused when a hold expired before it was paid for, and nothing is free: then we refund.
        Step("bookings.confirm"),
        Step("orders.complete"),
    ),
    cancel_until="bookings.confirm",
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
