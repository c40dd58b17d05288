"""What a package of yours gives to Conveyor: flows, services with their steps, and typed orders.

Everything needed to write one can be imported from here. A package announces its `Extension` with
an entry point in the group `conveyor.extensions`, or a deployment names it in the setting
`CONVEYOR_EXTENSIONS` as `package.module:NAME`; see docs/your-own-flow.md.
"""

from __future__ import annotations

from conveyor.checks import Check, Examination, Finding, Look, look
from conveyor.extension.extension import Extension, no_loops
from conveyor.extension.hooks import (
    CarrierBinding,
    Demo,
    Fact,
    Given,
    PaymentBinding,
    Routes,
    Running,
    Service,
    Story,
)
from conveyor.extension.steps import Answerable, AwaitingStep, ExternalStep, body_of
from conveyor.messaging.ambient import Ambient
from conveyor.messaging.errors import ConveyorError, KeySpentError, NotAppliedError, UnansweredError
from conveyor.messaging.order import Order
from conveyor.messaging.outcome import Again, Awaiting, Done, Outcome, Park, Refused, TurnedAway
from conveyor.messaging.routing_slip import Fee, Flow, Step
from conveyor.messaging.step import Answer, AnyStep, CallStep, LocalStep, Now
from conveyor.messaging.supervision import Loop
from conveyor.messaging.transaction import Tx
from conveyor.services.orders.model import Line, OrderBody, Payment, Word
from conveyor.services.orders.store import find as find_order
from conveyor.services.payments.ports import (
    Approved,
    Declined,
    Moved,
    Payer,
    PaymentAnswer,
    PaymentProvider,
    PaymentRequest,
)
from conveyor.services.shipping.ports import Carrier
from conveyor.settings import Settings

__all__ = [
    "Again",
    "Ambient",
    "Answer",
    "Answerable",
    "AnyStep",
    "Approved",
    "Awaiting",
    "AwaitingStep",
    "CallStep",
    "Carrier",
    "CarrierBinding",
    "Check",
    "ConveyorError",
    "Declined",
    "Demo",
    "Done",
    "Examination",
    "Extension",
    "ExternalStep",
    "Fact",
    "Fee",
    "Finding",
    "Flow",
    "Given",
    "KeySpentError",
    "Line",
    "LocalStep",
    "Look",
    "Loop",
    "Moved",
    "NotAppliedError",
    "Now",
    "Order",
    "OrderBody",
    "Outcome",
    "Park",
    "Payer",
    "Payment",
    "PaymentAnswer",
    "PaymentBinding",
    "PaymentProvider",
    "PaymentRequest",
    "Refused",
    "Routes",
    "Running",
    "Service",
    "Settings",
    "Step",
    "Story",
    "TurnedAway",
    "Tx",
    "UnansweredError",
    "Word",
    "body_of",
    "find_order",
    "look",
    "no_loops",
]
