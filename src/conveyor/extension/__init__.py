"""What a package of yours gives to Conveyor: flows, services with their steps, and typed orders.

Everything needed to write one can be imported from here. A package announces its `Extension` with
an entry point in the group `conveyor.extensions`, or a deployment names it in the setting
`CONVEYOR_EXTENSIONS` as `package.module:NAME`; see docs/your-own-flow.md.
"""

from __future__ import annotations

from conveyor.checks import Check, Comparison, Examination, Finding, Look, look
from conveyor.commerce.orders.model import Line, OrderBody, Payment, Word
from conveyor.commerce.orders.store import find as find_order
from conveyor.commerce.payments.ports import (
    Approved,
    Declined,
    Moved,
    Payer,
    PaymentAnswer,
    PaymentProvider,
    PaymentRequest,
)
from conveyor.core.ambient import Ambient
from conveyor.core.errors import ConveyorError, KeySpentError, NotAppliedError, UnansweredError
from conveyor.core.order import Order
from conveyor.core.outcome import Again, Awaiting, Done, Outcome, Park, Refused, TurnedAway
from conveyor.core.routing_slip import Fee, Flow, Step
from conveyor.core.step import Answer, AnyStep, CallStep, LocalStep, Now
from conveyor.core.supervision import Loop
from conveyor.core.transaction import Tx
from conveyor.extension.extension import Extension, no_loops
from conveyor.extension.hooks import (
    Demo,
    Fact,
    Given,
    Routes,
    Running,
    Service,
    Story,
)
from conveyor.extension.ports import PAYMENTS, Opens, Port, Ports
from conveyor.extension.steps import Answerable, AwaitingStep, ExternalStep, body_of
from conveyor.settings import Settings

__all__ = [
    "PAYMENTS",
    "Again",
    "Ambient",
    "Answer",
    "Answerable",
    "AnyStep",
    "Approved",
    "Awaiting",
    "AwaitingStep",
    "CallStep",
    "Check",
    "Comparison",
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
    "Opens",
    "Order",
    "OrderBody",
    "Outcome",
    "Park",
    "Payer",
    "Payment",
    "PaymentAnswer",
    "PaymentProvider",
    "PaymentRequest",
    "Port",
    "Ports",
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
