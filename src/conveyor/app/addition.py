"""What each further flow adds to a system: its services, steps, order bodies and loops."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from conveyor.messaging.ambient import Ambient
from conveyor.messaging.answers import Answers
from conveyor.messaging.engine import Engine
from conveyor.messaging.order import Order
from conveyor.messaging.routing_slip import Flow
from conveyor.messaging.step import AnyStep
from conveyor.messaging.supervision import Loop
from conveyor.messaging.transaction import Database, Tx
from conveyor.services.orders.model import OrderBody
from conveyor.services.orders.placement import Placement
from conveyor.services.payments.ports import Payer
from conveyor.settings import Settings


@dataclass(frozen=True, slots=True)
class Wired:
    """What an addition is given once the engine runs its steps."""

    engine: Engine
    answers: Answers
    placement: Placement


class Addition:
    """A flow's share of the system. The class says what it adds, an instance is one process's.

    `services` says of each of its queues whether it is FIFO.
    """

    flows: ClassVar[tuple[Flow, ...]] = ()
    services: ClassVar[Mapping[str, bool]] = {}
    bodies: ClassVar[Mapping[str, type[OrderBody]]] = {}

    def __init__(self, settings: Settings, ambient: Ambient, ledger: Database) -> None:
        """`ledger` is where simulated counterparts keep what is theirs."""
        self.settings = settings
        self.ambient = ambient
        self.ledger = ledger
        self.wired: Wired

    def steps(self) -> Mapping[str, AnyStep]:
        """Give the steps of its services."""
        return {}

    def payers(self) -> Mapping[str, Payer]:
        """Give, by the name of the flow, who pays the orders that `payments.charge` charges."""
        return {}

    def glimpse(self, tx: Tx, order: Order) -> Mapping[str, Any]:  # noqa: ARG002 - for overriding
        """Give what a follower of one of its orders sees that passes, such as a position."""
        return {}

    async def open(self) -> None:
        """Make ready what its simulated counterparts need; `wired` is set by now."""

    def loops(
        self,
        services: Collection[str],  # noqa: ARG002 - for overriding
    ) -> Iterable[tuple[str, Loop]]:
        """Give the loops, with their names, that a process with these services runs."""
        return ()
