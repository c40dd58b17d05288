"""What goes wrong at this moment, and whom it hits: asked for each request, message and step."""

from __future__ import annotations

import random
from collections import Counter

from conveyor.commerce.orders.intake_consumer import INTAKE
from conveyor.core.order import Order
from conveyor.core.queue import DEAD_LETTER_SUFFIX
from conveyor.testing.boxes import Box, Message
from conveyor.testing.fate import Fate
from conveyor.testing.loop import ProcessLoop
from conveyor.testing.queues import QueueService
from conveyor.testing.story import EVERY_PROCESS, Event

CANNOT_BE_DECLINED = frozenset({"void", "status", "lookup"})

NEVER = (0.0, 0.0, 0)


class SimulatedBugError(Exception):
    """A step has a bug, for one order."""


class Troubles:
    """The events of a story that are under way and go wrong."""

    def __init__(self, loop: ProcessLoop, rng: random.Random) -> None:
        """Nothing goes wrong yet."""
        self._loop = loop
        self._rng = rng
        self._now: list[Event] = []
        self._used: Counter[int] = Counter()
        self.raised: dict[str, tuple[float, float, int]] = {}
        """When a bug hit an order first and last, at which version, by the order's id."""

    def begin(self, event: Event) -> None:
        """It goes wrong from now on."""
        self._now.append(event)

    def end(self, event: Event) -> None:
        """It does no longer."""
        self._now.remove(event)

    def of_database(self, process: int) -> str:
        """Say how a transaction of a process fails; '' when it does not."""
        for event in self._of("database"):
            if event.facts["process"] in {EVERY_PROCESS, process} and self._use(event):
                return str(event.facts["how"])
        return ""

    def of_queue(self, call: str, name: str) -> str:
        """Say how a request to a queue fails; '' when it does not."""
        for event in self._of("queues"):
            facts = event.facts
            if facts["call"] not in {"", call} or not name.endswith(facts["queue"]):
                continue
            if self._use(event):
                return str(facts["how"])
        return ""

    def fate(self, operation: str, _order_id: str) -> Fate:
        """Say what becomes of a request to the provider or the carrier."""
        for event in self._of("provider"):
            facts = event.facts
            if facts["operation"] not in {"", operation}:
                continue
            if "declined" in str(facts["how"]) and operation in CANNOT_BE_DECLINED:
                continue
            if time := self._use(event):
                how = facts["how"]
                told = how if isinstance(how, str) else how[(time - 1) % len(how)]
                return Fate(told, facts["takes"])
        return Fate()

    def deliver(self, queues: QueueService, box: Box, message: Message) -> bool:
        """Let a message that was sent come late, or twice; False: it is lost."""
        name = box.spec.name
        if name.endswith(DEAD_LETTER_SUFFIX):
            return True
        for event in self._of("messages"):
            facts = event.facts
            if facts["queue"] not in {"", name}:
                continue
            if facts["how"] == "double":
                queues.copy(box, message, facts["takes"])
            elif facts["how"] == "late":
                message.visible_at = self._loop.elapsed + facts["takes"] * self._rng.random()
                message.delayed = True
            elif name != INTAKE:
                return False
        return True

    def hit(self, where: str, order: Order) -> None:
        """Raise where the step of an order has a bug now."""
        for event in self._of("bug"):
            name = f"{order.reference} ".partition(" ")[0]
            if event.facts["where"] == where and name[1:] == str(event.facts["n"]):
                now, (first, _, version) = self._loop.elapsed, self.raised.get(order.id, NEVER)
                since = first if version == order.version else now
                self.raised[order.id] = (since, now, order.version)
                raise SimulatedBugError(f"{where} of {order.reference}")

    def _of(self, kind: str) -> list[Event]:
        return [event for event in self._now if event.kind == kind]

    def _use(self, event: Event) -> int:
        """Count its use; 0: it has been used up."""
        self._used[id(event)] += 1
        time = self._used[id(event)]
        return time if time <= int(event.facts.get("times", 10**9)) else 0
