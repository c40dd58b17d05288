"""A replay whose orders stand still says what they wait for, and until when."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

from tests.flows.machines import machine_of

from conveyor.flows.shop.cdnow import order_body, packaged_purchases
from conveyor.flows.shop.inventory.store import set_stock
from conveyor.operations.order_file import read_orders
from conveyor.operations.replay import Progress, Replay
from conveyor.operations.replay_local import LocalTarget
from conveyor.system.composition import App

MINUTES = 300.0


def test_it_says_what_they_wait_for_and_is_silent_once_they_move(tmp_path: Path) -> None:
    world = machine_of("shop", tmp_path / "world", {"delivery_delay_seconds": MINUTES})
    lines = [json.dumps(order_body(purchase)).encode() for purchase in packaged_purchases()[:3]]
    said: list[str] = []

    def tell(progress: Progress) -> None:
        if not said or said[-1] != progress.waits:
            said.append(progress.waits)

    async def life(app: App) -> Progress:
        await app.parts.database.run(lambda tx: set_stock(tx, "default", "CD", 10))
        with read_orders(BytesIO(b"\n".join(lines))) as orders:
            return await Replay(LocalTarget(app, "default"), orders, tell=tell).run()

    progress = world.run(life)

    assert progress.settled == len(lines)
    assert [bool(waits) for waits in said] == [False, True, False]
    assert "waits for the answer that shipping.ship awaits, until " in said[1]
