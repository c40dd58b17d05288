"""A booking that is parked: those behind it wait, whoever they are; other flights go on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.flows.machines import machine_of
from tests.flows.travel_driver import (
    MERCHANT,
    STUCK,
    flight,
    journey,
    make_stuck,
    order_of,
    place,
    resource,
    set_up,
    statuses,
    until_status,
)

from conveyor.core.interventions import Decision, Intervention
from conveyor.core.order_status import OrderStatus
from conveyor.operations import decisions
from conveyor.operations.audit import run_audit
from conveyor.operations.explain import explain, sentences
from conveyor.operations.parked_orders import parked_orders
from conveyor.system.composition import App

RETRIED = Intervention(Decision.ACCEPTED, status=OrderStatus.PROCESSING)
SETTINGS = {"max_receives": 2, "backoff_base_seconds": 1.0}


async def _blocked(app: App) -> tuple[str, list[str], Any]:
    await set_up(app, UA1545=2, AA1141=2)
    repair = make_stuck(app)
    first = await place(app, journey(reference=STUCK))
    behind = [await place(app, journey()) for _ in range(3)]
    others = [await place(app, journey(flight("AA1141"))) for _ in range(2)]
    await until_status(app, first, "parked")
    assert await statuses(app, others) == ["completed", "completed"]
    assert [(await order_of(app, i)).status for i in behind] == ["processing"] * 3
    return first, behind, repair


async def _clean(app: App) -> None:
    report = await run_audit(app)
    assert report.clean, [finding for finding in report.findings if finding.violations]


def test_it_is_named_with_how_many_it_holds_back(tmp_path: Path) -> None:
    async def life(app: App) -> None:
        first, behind, _ = await _blocked(app)
        [parked] = await app.parts.database.read(lambda tx: parked_orders(tx, MERCHANT, limit=9))
        assert (parked.order.id, parked.holds_back) == (first, 3)
        story = await explain(app, behind[1], MERCHANT)
        assert story is not None
        said = " ".join(sentences(story))
        assert f"order {first} (parked) and 1 more, which come before it" in said
        await _clean(app)

    machine_of("travel", tmp_path, SETTINGS).run(life)


def test_once_redriven_it_comes_first(tmp_path: Path) -> None:
    async def life(app: App) -> None:
        first, behind, repair = await _blocked(app)
        repair()
        await decisions.redrive(app.engine, first, MERCHANT)
        assert await statuses(app, [first, *behind]) == ["completed"] * 2 + ["refused"] * 2
        await _clean(app)

    machine_of("travel", tmp_path, SETTINGS).run(life)


@pytest.mark.parametrize("decide", [decisions.compensate, decisions.discard])
def test_once_given_up_it_takes_nothing(tmp_path: Path, decide: Any) -> None:
    async def life(app: App) -> None:
        first, behind, _ = await _blocked(app)
        await decide(app.engine, first, MERCHANT, "the customer does not answer")
        wanted = ["cancelled", "completed", "completed", "refused"]
        assert await statuses(app, [first, *behind]) == wanted
        assert (await resource(app)).booked == 2
        await _clean(app)

    machine_of("travel", tmp_path, SETTINGS).run(life)


def test_it_stays_in_front_after_a_restart_and_a_purge(tmp_path: Path) -> None:
    world = machine_of("travel", tmp_path, SETTINGS)
    ids: list[str] = []

    async def first_life(app: App) -> None:
        first, behind, _ = await _blocked(app)
        ids.extend([first, *behind])

    async def second_life(app: App) -> None:
        await app.parts.queues.queue("bookings").purge()
        late = await place(app, journey())
        await until_status(app, late, "processing")
        assert (await order_of(app, ids[1])).status == "processing"
        await decisions.redrive(app.engine, ids[0], MERCHANT)
        wanted = ["completed", "completed", "refused", "refused", "refused"]
        assert await statuses(app, [*ids, late]) == wanted
        await _clean(app)

    world.run(first_life)
    world.run(second_life)


def test_one_that_rests_has_its_next_try_at_once_while_its_message_rests(tmp_path: Path) -> None:
    """A FIFO queue gives nothing of a group of which a message rests."""
    rests = {"max_receives": 9, "backoff_base_seconds": 300.0, "backoff_cap_seconds": 600.0}

    async def life(app: App) -> None:
        await set_up(app, UA1545=2)
        repair = make_stuck(app)
        order_id = await place(app, journey(reference=STUCK))
        await asyncio.sleep(10)
        assert await decisions.retry(app.engine, order_id, MERCHANT) == RETRIED
        await asyncio.sleep(10)  # a second message rests by then
        repair()
        assert await decisions.retry(app.engine, order_id, MERCHANT) == RETRIED
        await until_status(app, order_id, "completed")
        assert app.parts.ambient.now_ms() - (await order_of(app, order_id)).placed_at < 60_000
        await asyncio.sleep(600)
        await _clean(app)

    machine_of("travel", tmp_path, rests).run(life)
