"""A step that is taken along with another can only be done."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.examples.stories import place, status_of
from tests.flows.test_isolation import ORDER

from conveyor.core import timeline
from conveyor.core.order import Order
from conveyor.core.outcome import Outcome, Refused
from conveyor.core.step import Now
from conveyor.core.transaction import Tx
from conveyor.flows.shop.inventory.steps import STEPS
from conveyor.flows.shop.inventory.store import set_stock
from conveyor.system.composition import App
from conveyor.testing import until
from conveyor.testing.virtual import Machine


def test_a_refusal_of_what_is_taken_along_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_tx: Tx, _order: Order, _now: Now) -> Outcome:
        return Refused("not for sale")

    monkeypatch.setattr(STEPS["inventory.sell"], "run", refuse)

    async def life(app: App) -> None:
        await app.parts.database.run(lambda tx: set_stock(tx, "default", "CD", 5))
        order_id = await place(app, ORDER)
        assert await until(app, order_id, "parked") == "parked"
        assert await status_of(app, order_id) == "parked"
        story = await app.parts.database.read(lambda tx: timeline.of_order(tx, order_id))
        assert "inventory.sell is taken along, and may only be done" in story[-1].detail

    Machine(tmp_path, {"max_receives": 2}).run(life)
