"""The embedded queue against a model of SQS in forty lines, through any sequence of calls."""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from conveyor.adapters.embedded_queue import EmbeddedQueues
from conveyor.core.ambient import Ambient
from conveyor.core.queue import Depth, Outgoing, QueueSpec, Received, VisibilityChange

T = TypeVar("T")

VISIBILITY_SECONDS = 30
MAX_RECEIVES = 2


def now(call: Coroutine[Any, Any, T]) -> T:
    """Run a call that has nothing to wait for."""
    try:
        call.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("the call waits")


@dataclass
class Clock:
    ms: int = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms


@dataclass
class Message:
    number: int
    group: str
    visible_at_ms: int
    receive_count: int = 0


@dataclass
class Model:
    """A queue and its dead-letter queue."""

    fifo: bool
    messages: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)
    remembered: dict[tuple[str, str], int] = field(default_factory=dict)

    def receive(self, at: int, limit: int) -> list[Message]:
        while picked := self._visible(at)[:limit]:
            for message in picked:
                message.receive_count += 1
                message.visible_at_ms = at + VISIBILITY_SECONDS * 1000
            alive = [it for it in picked if it.receive_count <= MAX_RECEIVES]
            self.dead += [it for it in picked if it not in alive]
            self.messages = [it for it in self.messages if it not in self.dead]
            if alive:
                return sorted(alive, key=lambda it: it.number)
        return []

    def held(self, number: int, receive_count: int) -> Message | None:
        found = [it for it in self.messages if it.number == number]
        return found[0] if found and found[0].receive_count == receive_count else None

    def _visible(self, at: int) -> list[Message]:
        blocked = {it.group for it in self.messages if self.fifo and it.visible_at_ms > at}
        visible = [it for it in self.messages if it.visible_at_ms <= at]
        if self.fifo:
            return [it for it in visible if it.group not in blocked]
        return sorted(visible, key=lambda it: (it.visible_at_ms, it.number))


class QueueMachine(RuleBasedStateMachine):
    fifo = False
    received: Bundle[Received] = Bundle("received")

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.numbers = itertools.count()
        self.model = Model(self.fifo)
        self.open()

    def open(self) -> None:
        spec = QueueSpec("q", self.fifo, VISIBILITY_SECONDS, MAX_RECEIVES)
        path = Path(self.directory.name) / "queues.db"
        self.queues = EmbeddedQueues(path, [spec], Ambient(self.clock, random.Random(1)))
        now(self.queues.open())
        self.queue = self.queues.queue("q")

    def teardown(self) -> None:
        now(self.queues.close())
        self.directory.cleanup()

    @rule(groups=st.lists(st.sampled_from("abc"), max_size=4), delay=st.sampled_from([0, 0, 20]))
    def send(self, groups: list[str], delay: int) -> None:
        numbers = [next(self.numbers) for _ in groups]
        delay = 0 if self.fifo else delay
        sent = [
            Outgoing(str(number), delay, group, str(number))
            for number, group in zip(numbers, groups, strict=True)
        ]
        assert now(self.queue.send(sent)) == []
        visible_at = self.clock.ms + delay * 1000
        self.model.messages += [
            Message(number, group, visible_at)
            for number, group in zip(numbers, groups, strict=True)
        ]

    @rule(target=received, limit=st.integers(1, 4))
    def receive(self, limit: int) -> Any:
        got = now(self.queue.receive(limit, 0))
        expected = self.model.receive(self.clock.ms, limit)
        assert [(int(it.body), it.receive_count) for it in got] == [
            (it.number, it.receive_count) for it in expected
        ]
        return multiple(*got)

    @rule(message=received)
    def delete(self, message: Received) -> None:
        """Also with receipts that are old, or were used before."""
        left = now(self.queue.delete([message.receipt]))
        number = int(message.body)
        held = self.model.held(number, message.receive_count)
        if held and not (self.fifo and held.visible_at_ms <= self.clock.ms):
            self.model.messages.remove(held)
        still_there = any(it.number == number for it in self.model.messages)
        assert left == ([message.receipt] if self.fifo and still_there else [])

    @rule(message=consumes(received), seconds=st.sampled_from([0, 10, 100]))
    def set_visibility(self, message: Received, seconds: int) -> None:
        lost = now(self.queue.set_visibility([VisibilityChange(message.receipt, seconds)]))
        held = self.model.held(int(message.body), message.receive_count)
        if held and held.visible_at_ms > self.clock.ms:
            held.visible_at_ms = self.clock.ms + seconds * 1000
            assert lost == []
        else:
            assert lost == [message.receipt]

    @rule(seconds=st.sampled_from([1, 10, 31]))
    def pass_time(self, seconds: int) -> None:
        self.clock.ms += seconds * 1000

    @rule()
    def purge(self) -> None:
        now(self.queue.purge())
        self.model.messages.clear()

    @invariant()
    def depths_agree(self) -> None:
        at = self.clock.ms
        hidden = [it for it in self.model.messages if it.visible_at_ms > at]
        in_flight = sum(it.receive_count > 0 for it in hidden)
        visible = len(self.model.messages) - len(hidden)
        assert now(self.queue.depth()) == Depth(visible, in_flight, len(hidden) - in_flight)
        assert now(self.queues.queue("q-dead").depth()).total == len(self.model.dead)


class FifoQueueMachine(QueueMachine):
    fifo = True


@pytest.mark.parametrize("machine", [QueueMachine, FifoQueueMachine])
def test_any_sequence_of_calls_does_what_the_model_does(machine: type[QueueMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
