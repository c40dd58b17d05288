"""What a package of yours gives to Conveyor: flows, services with their steps, and typed orders.

Everything needed to write one can be imported from here. A package announces its `Extension` with
an entry point in the group `conveyor.extensions`, or a deployment names it in the setting
`CONVEYOR_EXTENSIONS` as `package.module:NAME`; see docs/your-own-flow.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from conveyor.messaging.ambient import Ambient
from conveyor.messaging.errors import ConveyorError, NotAppliedError, UnansweredError
from conveyor.messaging.order import Order
from conveyor.messaging.outcome import Again, Awaiting, Done, Outcome, Park, Refused
from conveyor.messaging.routing_slip import Flow, Step
from conveyor.messaging.step import Answer, AnyStep, CallStep, LocalStep, Now
from conveyor.messaging.transaction import Tx
from conveyor.services.orders.model import OrderBody

__all__ = [
    "Again",
    "Ambient",
    "Answer",
    "AnyStep",
    "Awaiting",
    "CallStep",
    "ConveyorError",
    "Done",
    "Extension",
    "Flow",
    "LocalStep",
    "NotAppliedError",
    "Now",
    "Order",
    "OrderBody",
    "Outcome",
    "Park",
    "Refused",
    "Service",
    "Step",
    "Tx",
    "UnansweredError",
]


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its queue has its name, and its steps are named `name.step`.

    `steps` is called once a process, with the clock and random numbers to use. With `fifo`, the
    steps' `group` is handled strictly in the order in which it came.
    """

    name: str
    steps: Callable[[Ambient], Mapping[str, AnyStep]]
    fifo: bool = False


@dataclass(frozen=True, slots=True)
class Extension:
    """A package's flows and services.

    `bodies` gives the typed body of a flow's orders, by the flow's name; `OrderBody` where there is
    none. `tables` are created by `conveyor migrate` (and `up`) where they are missing; to change
    them later is the package's own affair.
    """

    name: str
    flows: tuple[Flow, ...] = ()
    services: tuple[Service, ...] = ()
    bodies: Mapping[str, type[OrderBody]] = field(default_factory=dict)
    tables: sa.MetaData | None = None
