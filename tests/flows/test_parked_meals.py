"""A meal that is parked through no fault of its customer: cancelling it costs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest
from tests.flows.meals import (
    TOTAL,
    assert_clean,
    at_metres,
    call_off,
    open_town,
    operations,
    order_meal,
    settled,
    ticket_state,
)

from conveyor.core.order_status import OrderStatus
from conveyor.flows.food.extension import Kitchens
from conveyor.operations.decisions import VOID, Cancelled
from conveyor.system.composition import App
from conveyor.testing.invariants.files import check_goods
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import Machine


def test_it_is_let_go_whole_although_the_restaurant_has_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Machine(tmp_path)

    def broken(*_: object) -> NoReturn:
        raise LookupError("the map is gone")

    async def life(app: App) -> str:
        monkeypatch.setattr(Kitchens, "pickup_of", broken)
        await open_town(app, at_metres("r", 300))
        meal = await order_meal(app)
        assert (await settled(app, meal)).status == OrderStatus.PARKED
        assert await ticket_state(app, meal) in {"accepted", "ready"}
        answer = await call_off(app, meal)
        assert isinstance(answer, Cancelled)
        assert (answer.outcome, answer.fee, answer.returned) == (VOID, 0, TOTAL)
        assert (await settled(app, meal)).status == OrderStatus.CANCELLED
        await assert_clean(app)
        return meal

    meal = world.run(life)
    assert operations(world.directory, meal) == [("authorize", TOTAL), ("void", TOTAL)]
    check_tokens(world.directory)
    check_goods(world.directory)
