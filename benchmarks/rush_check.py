"""What must hold after a rush, whoever was killed in between: looked up in the database itself."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from benchmarks.rush import DATE, SEATS_A_FLIGHT, Rush

from conveyor.core.tables import orders
from conveyor.flows.travel.bookings.model import BookingState
from conveyor.flows.travel.bookings.tables import bookings, resources

_REQUESTS = (
    sa.select(
        bookings.c.resource,
        bookings.c.turn,
        bookings.c.number,
        bookings.c.state,
        bookings.c.order_id,
        orders.c.reference,
        orders.c.status,
    )
    .join(orders, orders.c.id == bookings.c.order_id)
    .order_by(bookings.c.resource, bookings.c.turn)
)
STATUS_OF = {BookingState.BOOKED: "completed", BookingState.REFUSED: "refused"}


def check_rush(url: str, rush: Rush, records: Path) -> dict[str, int]:
    """Assert that the seats went to the earliest, and that nothing was lost or oversold.

    Gives figures: requests, seats booked, and requests whose order in time was checked.
    """
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        found = connection.execute(_REQUESTS).all()
        booked = sum(connection.execute(sa.select(resources.c.booked)).scalars())
    engine.dispose()
    by_flight = defaultdict(list)
    for row in found:
        by_flight[row.resource].append(row)
    wanted = defaultdict(set)
    for number in range(rush.requests):
        wanted[f"flight/{rush.flight_of(number)}/{DATE}"].add(str(number))
    for flight, numbers in wanted.items():
        rows = by_flight[flight]
        assert {row.reference for row in rows} == numbers, f"{flight}: requests are lost"
        turns = list(range(1, len(numbers) + 1))
        assert [row.turn for row in rows] == turns, f"{flight}: turns"
        assert [row.number for row in rows] == turns, f"{flight}: handled out of turn"
        states = [row.state for row in rows]
        seats = min(SEATS_A_FLIGHT, len(rows))
        assert states == [BookingState.BOOKED] * seats + [BookingState.REFUSED] * (
            len(rows) - seats
        ), f"{flight}: seats"
        assert all(row.status == STATUS_OF[row.state] for row in rows), f"{flight}: orders"
    timed = _check_times(by_flight.values(), records)
    return {"requests": len(found), "booked": booked, "timed": timed}


def _check_times(flights: Iterable[Sequence[Any]], records: Path) -> int:
    """Nobody who was answered before another even asked has a later turn than that one."""
    times: dict[str, tuple[int, int]] = {}
    for line in records.read_text(encoding="ascii").splitlines():
        order_id, asked, answered = json.loads(line)
        times[order_id] = asked, answered
    checked = 0
    for rows in flights:
        latest_asked = 0
        for row in rows:
            if row.order_id not in times:
                continue
            asked, answered = times[row.order_id]
            assert answered >= latest_asked, f"{row.order_id} was answered first and came later"
            latest_asked = max(latest_asked, asked)
            checked += 1
    return checked
