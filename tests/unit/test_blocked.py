"""How many orders wait behind parked ones is counted once an order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.unit.goods_driver import NOW_MS, Books, insert_orders, order

from conveyor.core.group_order import blocked
from conveyor.core.order_status import OrderStatus
from conveyor.core.parking import park
from conveyor.core.step import Now
from conveyor.core.transaction import Tx

P, W = OrderStatus.PARKED, OrderStatus.PROCESSING


def stand(tx: Tx, group: str, first: int, statuses: Sequence[OrderStatus]) -> None:
    """Let orders stand in a group, in this order."""
    for turn, status in enumerate(statuses, start=1):
        one = order(first + turn, status=status)._replace(group_key=group, sequence=turn)
        insert_orders(tx, [one])
        if status == OrderStatus.PARKED:
            park(tx, one, Now(NOW_MS), step="bookings.hold", cause="", attempts=1)


@pytest.mark.parametrize(
    ("one_group", "another", "counted"),
    [
        ([P, W, W], [], (1, 2)),
        ([P, W, P, W], [], (1, 2)),
        ([W, P, W], [P, P, W], (2, 2)),
        ([P, P], [W, W], (0, 0)),
    ],
)
def test_an_order_behind_two_parked_ones_is_counted_once(
    books: Books, one_group: list[OrderStatus], another: list[OrderStatus], counted: tuple[int, int]
) -> None:
    books.run(lambda tx: stand(tx, "bookings/a", 0, one_group))
    books.run(lambda tx: stand(tx, "bookings/b", 10, another))
    assert books.run(blocked) == counted
