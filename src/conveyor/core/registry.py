"""What is installed: flows, steps and the queues they need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from conveyor.core.errors import MissingFlowError, UnknownFlowError, UnknownStepError
from conveyor.core.personal import NOBODYS, Personal
from conveyor.core.queue import QueueSpec
from conveyor.core.routing_slip import Flow, service_of
from conveyor.core.step import Gather, StepHandler


class Registry:
    """Finds flows by `name@version` and steps by `service.step`."""

    def __init__(
        self,
        flows: Iterable[Flow],
        steps: Mapping[str, StepHandler],
        queues: Iterable[QueueSpec],
        personal: Personal = NOBODYS,
    ) -> None:
        """Check that every step of every flow exists. Raises `UnknownStepError`.

        `personal` says what of an order's body is to be told nowhere.
        """
        self.personal = personal
        self.flows = {flow.key: flow for flow in flows}
        self.steps = dict(steps)
        self.queues = {spec.name: spec for spec in queues}
        self._lock_order: dict[Gather, str] = {}
        for name in sorted(self.steps):
            self._lock_order.setdefault(self.steps[name].gathering, name)
        for flow in self.flows.values():
            for line in flow.steps:
                for name in (line.name, line.undo, *line.also):
                    if name and (name not in self.steps or service_of(name) not in self.queues):
                        raise UnknownStepError(name)

    def flow(self, key: str) -> Flow:
        """Give an order's flow. Raises `MissingFlowError`."""
        try:
            return self.flows[key]
        except KeyError:
            raise MissingFlowError(key, tuple(sorted(self.flows))) from None

    def newest(self, name: str) -> Flow:
        """Give the newest version of a flow. Raises `UnknownFlowError`."""
        versions = [flow for flow in self.flows.values() if flow.name == name]
        if not versions:
            raise UnknownFlowError(name, tuple(sorted({f.name for f in self.flows.values()})))
        return max(versions, key=lambda flow: flow.version)

    def in_lock_order(self, gathers: Iterable[Gather]) -> list[Gather]:
        """Sort what locks rows for groups: by the names of steps, which are kept when code is not.

        So all processes lock in one order, also those of two versions that are deployed at once.
        """
        return sorted(gathers, key=lambda gather: self._lock_order.get(gather, ""))

    def step(self, name: str) -> StepHandler:
        """Raises `UnknownStepError`."""
        try:
            return self.steps[name]
        except KeyError:
            raise UnknownStepError(name) from None
