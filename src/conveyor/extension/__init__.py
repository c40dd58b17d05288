"""What a package of yours gives to Conveyor: flows, services with their steps, and typed orders.

Everything needed to write one can be imported from here. A package announces its `Extension` with
an entry point in the group `conveyor.extensions`, or a deployment names it in the setting
`CONVEYOR_EXTENSIONS` as `package.module:NAME`; see docs/your-own-flow.md.
"""

from __future__ import annotations

from conveyor.checks import Check, Comparison, Examination, Finding, PageCheck, check_rows
from conveyor.commerce.orders.model import PERSONAL, OrderBody, Payment, SingleLine, Word
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
from conveyor.core.archived import Sum
from conveyor.core.errors import ConveyorError, KeySpentError, NotAppliedError, UnansweredError
from conveyor.core.order import Order
from conveyor.core.order_status import OrderStatus
from conveyor.core.outcome import Again, Awaiting, Done, Outcome, Park, Refused, TurnedAway
from conveyor.core.routing_slip import Fee, Flow, Step
from conveyor.core.step import Answer, CallStep, LocalStep, Now, StepHandler
from conveyor.core.supervision import Loop
from conveyor.core.transaction import Tx
from conveyor.extension.extension import Extension, no_loops
from conveyor.extension.hooks import (
    Archiving,
    Demo,
    Dependencies,
    Fact,
    Kept,
    OfCustomer,
    Routes,
    Rows,
    Running,
    Service,
    Story,
)
from conveyor.extension.ports import PAYMENTS, OpenedPorts, Opens, Port, Ports
from conveyor.extension.steps import Answerable, AwaitingStep, ExternalStep, body_of
from conveyor.settings import Settings

__all__ = [
    "PAYMENTS",
    "PERSONAL",
    "Again",
    "Ambient",
    "Answer",
    "Answerable",
    "Approved",
    "Archiving",
    "Awaiting",
    "AwaitingStep",
    "CallStep",
    "Check",
    "Comparison",
    "ConveyorError",
    "Declined",
    "Demo",
    "Dependencies",
    "Done",
    "Examination",
    "Extension",
    "ExternalStep",
    "Fact",
    "Fee",
    "Finding",
    "Flow",
    "Kept",
    "KeySpentError",
    "LocalStep",
    "Loop",
    "Moved",
    "NotAppliedError",
    "Now",
    "OfCustomer",
    "OpenedPorts",
    "Opens",
    "Order",
    "OrderBody",
    "OrderStatus",
    "Outcome",
    "PageCheck",
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
    "Rows",
    "Running",
    "Service",
    "Settings",
    "SingleLine",
    "Step",
    "StepHandler",
    "Story",
    "Sum",
    "TurnedAway",
    "Tx",
    "UnansweredError",
    "Word",
    "body_of",
    "check_rows",
    "find_order",
    "no_loops",
]
