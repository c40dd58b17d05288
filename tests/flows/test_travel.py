"""The travel flow on virtual time: who gets a seat, for how long, and who gets it after that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.flows.machines import machine_of
from tests.flows.travel_driver import (
    FLIGHT,
    HOTEL,
    bookings,
    cancel,
    flight,
    hotel,
    journey,
    place,
    resource,
    set_up,
    settled,
    states,
    statuses,
    until_status,
)

from conveyor.operations.audit import run_audit
from conveyor.system.composition import App

Life = Callable[[App], Coroutine[Any, Any, None]]
MINUTE = 60


@pytest.fixture
def live(tmp_path: Path) -> Callable[[Life], None]:
    """Live a process in a world of its own, and audit it at the end."""

    def run(life: Life, **settings: Any) -> None:
        async def audited(app: App) -> None:
            await life(app)
            report = await run_audit(app)
            broken = [finding for finding in report.findings if finding.violations]
            assert not broken, broken

        machine_of("travel", tmp_path, settings).run(audited)

    return run


def test_a_journey_is_held_paid_and_booked(live: Any) -> None:
    async def life(app: App) -> None:
        await set_up(app, UA1545=2, Astoria=5)
        order_id = await place(app, journey(flight(quantity=2), hotel(quantity=1)))
        assert await statuses(app, [order_id]) == ["completed"]
        assert await states(app, order_id) == ["booked", "booked"]
        seats, rooms = await resource(app), await resource(app, HOTEL)
        assert (seats.held, seats.booked, seats.free) == (0, 2, 0)
        assert (rooms.held, rooms.booked, rooms.free) == (0, 1, 4)

    live(life)


def test_a_full_hotel_gives_the_flight_back_and_nothing_is_charged(live: Any) -> None:
    async def life(app: App) -> None:
        await set_up(app, UA1545=2, Astoria=0)
        order_id = await place(app, journey(flight(), hotel()))
        [order] = await settled(app, [order_id])
        assert (order.status, order.reason) == ("refused", f"full: {HOTEL}")
        assert await states(app, order_id) == ["released", "refused"]
        assert (await resource(app)).free == 2

    live(life)


def test_what_is_not_refundable_is_held_last(live: Any) -> None:
    async def life(app: App) -> None:
        await set_up(app, UA1545=2, Astoria=0)
        legs = flight(refundable=False), hotel()
        order_id = await place(app, journey(*legs))
        await settled(app, [order_id])
        assert [b.resource for b in await bookings(app, order_id)] == [HOTEL]
        assert (await resource(app)).asked == 0

    live(life)


def test_each_night_of_a_stay_is_a_resource_of_its_own(live: Any) -> None:
    async def life(app: App) -> None:
        await set_up(app, Astoria=1)
        order_id = await place(app, journey(hotel(nights=2)))
        [order] = await settled(app, [order_id])
        assert order.reason == "unknown: hotel/Astoria/2013-01-02"
        assert (await resource(app, HOTEL)).free == 1

    live(life)


def test_seats_go_to_the_earliest_and_overbooking_is_a_policy(live: Any) -> None:
    async def life(app: App) -> None:
        await set_up(app, UA1545=(20, 5), AA1141=(19, 5))
        orders = [await place(app, journey(flight("UA1545"))) for _ in range(25)]
        others = [await place(app, journey(flight("AA1141"))) for _ in range(25)]
        assert await statuses(app, orders) == ["completed"] * 21 + ["refused"] * 4
        assert await statuses(app, others) == ["completed"] * 19 + ["refused"] * 6

    live(life)


def test_a_place_that_comes_free_goes_to_the_first_who_waits(live: Any) -> None:
    async def life(app: App) -> None:
        await set_up(app, UA1545=2)
        slow = await place(app, journey(flight(quantity=2), method="card_ok"))
        waiting = [await place(app, journey(waitlist=True)) for _ in range(3)]
        await until_status(app, waiting[2], "awaiting")
        assert (await resource(app)).waiting == 3
        assert await cancel(app, slow)
        assert await statuses(app, waiting[:2]) == ["completed", "completed"]
        assert await statuses(app, waiting[2:]) == ["refused"]
        assert (await resource(app)).waiting == 0

    live(life, payment_latency_seconds=30.0, call_timeout_seconds=60.0, booking_wait_seconds=600.0)


def test_who_waits_is_not_overtaken(live: Any) -> None:
    async def life(app: App) -> None:
        await set_up(app, UA1545=2)
        first = await place(app, journey(flight()))
        couple = await place(app, journey(flight(quantity=2), waitlist=True))
        single = await place(app, journey(flight()))
        assert await statuses(app, [first, single]) == ["completed", "refused"]
        await until_status(app, couple, "awaiting")
        await set_up(app, UA1545=3)
        assert await statuses(app, [couple]) == ["completed"]

    live(life)


def test_who_waits_in_vain_is_refused_at_the_deadline(live: Any) -> None:
    async def life(app: App) -> None:
        await set_up(app, UA1545=1)
        first = await place(app, journey())
        second = await place(app, journey(waitlist=True))
        begun = asyncio.get_running_loop().time()
        assert await statuses(app, [first, second]) == ["completed", "refused"]
        waited = asyncio.get_running_loop().time() - begun
        assert 600 <= waited <= 660
        assert await states(app, second) == ["refused"]

    live(life, booking_wait_seconds=600.0)


def test_who_waits_for_more_than_there_will_ever_be_is_refused_at_once(live: Any) -> None:
    async def life(app: App) -> None:
        await set_up(app, UA1545=2)
        began = app.engine.ambient.elapsed_ms()
        order_id = await place(app, journey(flight(quantity=3), waitlist=True))
        assert await statuses(app, [order_id]) == ["refused"]
        assert app.engine.ambient.elapsed_ms() - began < MINUTE * 1000

    live(life)


def test_cancelling_who_waits_lets_the_next_one_in(live: Any) -> None:
    async def life(app: App) -> None:
        await set_up(app, UA1545=2)
        first = await place(app, journey())
        couple = await place(app, journey(flight(quantity=2), waitlist=True))
        single = await place(app, journey(waitlist=True))
        assert await statuses(app, [first]) == ["completed"]
        await until_status(app, single, "awaiting")
        await cancel(app, couple)
        assert await statuses(app, [couple, single]) == ["cancelled", "completed"]
        assert await states(app, couple) == ["released"]

    live(life)


def test_a_hold_that_is_not_paid_for_expires(live: Any) -> None:
    async def life(app: App) -> None:
        await set_up(app, UA1545=1)
        late = await place(app, journey())
        waiting = await place(app, journey(waitlist=True))
        assert await statuses(app, [waiting]) == ["completed"]
        # The late one's money was taken after all: there is no room any more, so it goes back.
        [order] = await settled(app, [late])
        assert order.status == "refused"
        assert order.reason.startswith("no room is left since the hold expired")
        assert await states(app, late) == ["released"]

    live(life, payment_latency_seconds=20 * MINUTE / 2, call_timeout_seconds=20 * MINUTE)


def test_who_pays_late_is_held_again_where_there_is_room(live: Any) -> None:
    async def life(app: App) -> None:
        await set_up(app, UA1545=1)
        order_id = await place(app, journey())
        assert await statuses(app, [order_id]) == ["completed"]
        [booking] = await bookings(app, order_id)
        assert (booking.state, booking.again) == ("booked", True)
        assert (await resource(app, FLIGHT)).booked == 1

    live(life, payment_latency_seconds=20 * MINUTE / 2, call_timeout_seconds=20 * MINUTE)


def test_a_declined_card_gives_the_seat_to_the_next(live: Any) -> None:
    async def life(app: App) -> None:
        await set_up(app, UA1545=1)
        first = await place(app, journey(method="card_declined"))
        second = await place(app, journey(waitlist=True))
        assert await statuses(app, [first, second]) == ["refused", "completed"]

    live(life, payment_latency_seconds=5.0)
