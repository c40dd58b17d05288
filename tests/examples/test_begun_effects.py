"""A step that has called out and then awaits: whatever ends the wait, what it began is undone."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType

import pytest
from tests.examples.stories import MERCHANT, place, status_of, steps_done

from conveyor.core import timeline
from conveyor.core.answers import TAKEN, StepAnswer
from conveyor.core.timeline_event import TimelineEvent
from conveyor.extension import (
    Again,
    Answer,
    Awaiting,
    CallStep,
    Done,
    Extension,
    Flow,
    LocalStep,
    Now,
    Order,
    Outcome,
    Park,
    Refused,
    Service,
    Step,
    StepHandler,
    Tx,
)
from conveyor.operations import decisions
from conveyor.operations.audit import run_audit
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

HIRE_SECONDS = 120.0
HIRE, CALL_OFF = "halls.hire", "halls.call_off"
PARTY = Flow(
    name="party",
    version=1,
    steps=(
        Step("payments.authorize", undo="payments.void"),
        Step(HIRE, undo=CALL_OFF),
        Step("payments.capture", undo="payments.refund"),
        Step("orders.complete"),
    ),
    cancel_until="payments.capture",
)
ORDER = {
    "flow": "party",
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1}],
    "total": 1_177,
    "payment": {"method": "card_ok"},
    "shipping": {"country": "US"},
}


class Hall:
    """A place that is asked for with a call, and says later whether one can have it."""

    def __init__(self) -> None:
        self.hired: set[str] = set()
        self.called_off: list[str] = []


class Hire(CallStep[str, str]):
    """Asks for the hall, and awaits that somebody says yes or no."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self.overdue_gives: Outcome = Refused("nobody said yes")

    def prepare(self, tx: Tx, order: Order, now: Now) -> str:  # noqa: ARG002 - the port's
        return order.id

    async def call(self, request: str, key: str) -> str:  # noqa: ARG002 - the port's
        self._hall.hired.add(request)
        return request

    async def ask(self, request: str, key: str) -> str | None:  # noqa: ARG002 - the port's
        return request if request in self._hall.hired else None

    def record(self, tx: Tx, order: Order, answer: str, now: Now) -> Outcome:  # noqa: ARG002
        return Awaiting("the caretaker", HIRE_SECONDS)

    def answered(self, tx: Tx, order: Order, answer: Answer, now: Now) -> Outcome:  # noqa: ARG002
        return Done() if answer["yes"] else Refused("the caretaker says no")

    def overdue(self, tx: Tx, order: Order, now: Now) -> Outcome:  # noqa: ARG002 - the port's
        return self.overdue_gives


class CallOff(CallStep[str, str]):
    """Undoes it; harmless where nothing was hired."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall

    def prepare(self, tx: Tx, order: Order, now: Now) -> str:  # noqa: ARG002 - the port's
        return order.id

    async def call(self, request: str, key: str) -> str:  # noqa: ARG002 - the port's
        self._hall.hired.discard(request)
        self._hall.called_off.append(request)
        return request

    async def ask(self, request: str, key: str) -> str | None:  # noqa: ARG002 - the port's
        return None if request in self._hall.hired else request

    def record(self, tx: Tx, order: Order, answer: str, now: Now) -> Outcome:  # noqa: ARG002
        return Done()


@pytest.fixture
def hall() -> Hall:
    return Hall()


@pytest.fixture
def hire(hall: Hall) -> Hire:
    return Hire(hall)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hall: Hall, hire: Hire) -> Machine:
    """A system that has the flow, and this hall."""
    return world_of(PARTY, {HIRE: hire, CALL_OFF: CallOff(hall)}, tmp_path, monkeypatch)


def world_of(
    flow: Flow, steps: dict[str, StepHandler], directory: Path, monkeypatch: pytest.MonkeyPatch
) -> Machine:
    module = ModuleType("parties")
    module.EXTENSION = Extension("parties", (flow,), (Service("halls", steps),))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return Machine(directory, {"extensions": "parties:EXTENSION"})


async def assert_clean(app: App) -> None:
    report = await run_audit(app)
    assert report.clean, [finding for finding in report.findings if finding.violations]


async def answer(app: App, order_id: str, *, yes: bool) -> None:
    assert await app.answers.take(StepAnswer(order_id, HIRE, {"yes": yes})) == TAKEN


async def say_no(app: App, order_id: str) -> None:
    await answer(app, order_id, yes=False)


async def say_nothing(_app: App, _order_id: str) -> None:
    await asyncio.sleep(HIRE_SECONDS)


async def cancel(app: App, order_id: str) -> None:
    said = await decisions.cancel(app.engine, order_id, MERCHANT, "changed my mind")
    assert isinstance(said, decisions.Cancelled)
    assert said.steps == (CALL_OFF, "payments.void")


Ending = Callable[[App, str], Awaitable[None]]


@pytest.mark.parametrize("ending", [say_no, say_nothing, cancel])
def test_what_has_begun_is_undone(world: Machine, hall: Hall, ending: Ending) -> None:
    async def life(app: App) -> str:
        order_id = await place(app, ORDER)
        await asyncio.sleep(30)
        assert hall.hired == {order_id}
        await ending(app, order_id)
        await asyncio.sleep(30)
        assert await status_of(app, order_id) in {"refused", "cancelled"}
        undone = ["payments.authorize", CALL_OFF, "payments.void"]
        assert await steps_done(app, order_id) == undone
        await assert_clean(app)
        return order_id

    order_id = world.run(life)
    assert hall.hired == set()
    assert hall.called_off == [order_id]


def test_what_is_done_is_not_undone(world: Machine, hall: Hall) -> None:
    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        await asyncio.sleep(30)
        await answer(app, order_id, yes=True)
        await asyncio.sleep(30)
        assert await status_of(app, order_id) == "completed"
        await assert_clean(app)

    world.run(life)
    assert len(hall.hired) == 1
    assert hall.called_off == []


@pytest.mark.parametrize("redriven", [False, True])
def test_one_that_was_parked_since_is_undone(
    world: Machine, hall: Hall, hire: Hire, *, redriven: bool
) -> None:
    hire.overdue_gives = Park("ask the caretaker")

    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        await asyncio.sleep(HIRE_SECONDS + 30)
        assert await status_of(app, order_id) == "parked"
        if redriven:
            await decisions.redrive(app.engine, order_id, MERCHANT)
            await asyncio.sleep(30)
            await say_no(app, order_id)
        else:
            left = await decisions.discard(app.engine, order_id, MERCHANT, "who cares")
            assert left is not None
            assert left.undoes == (CALL_OFF, "payments.void")
            await decisions.compensate(app.engine, order_id, MERCHANT, "no party")
        await asyncio.sleep(30)
        assert await steps_done(app, order_id) == ["payments.authorize", CALL_OFF, "payments.void"]
        await assert_clean(app)

    world.run(life)
    assert hall.hired == set()


def test_one_that_is_refused_at_once_has_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hall: Hall
) -> None:
    refuse = LocalStep(lambda _tx, _order, _now: Refused("it burnt down"))
    world = world_of(PARTY, {HIRE: refuse, CALL_OFF: CallOff(hall)}, tmp_path, monkeypatch)

    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        await asyncio.sleep(30)
        assert await steps_done(app, order_id) == ["payments.authorize", "payments.void"]
        await assert_clean(app)

    world.run(life)
    assert hall.called_off == []


def test_one_that_is_taken_again_and_refused_then_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hall: Hall
) -> None:
    def hold(tx: Tx, order: Order, now: Now) -> Outcome:  # noqa: ARG001 - a step's signature
        return Refused("no") if order.begun else Again("half of it is there", 5.0)

    world = world_of(PARTY, {HIRE: LocalStep(hold), CALL_OFF: CallOff(hall)}, tmp_path, monkeypatch)

    async def life(app: App) -> None:
        order_id = await place(app, ORDER)
        await asyncio.sleep(60)
        assert await steps_done(app, order_id) == ["payments.authorize", CALL_OFF, "payments.void"]
        entries = await app.parts.database.read(lambda tx: timeline.of_order(tx, order_id))
        assert [e.event for e in entries].count(TimelineEvent.AGAIN) == 1
        await assert_clean(app)

    world.run(life)
