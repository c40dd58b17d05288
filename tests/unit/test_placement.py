"""Keys of many merchants in one transaction: each is its merchant's own."""

from __future__ import annotations

from pathlib import Path

from tests.unit.core_driver import FLOW, Core

from conveyor.commerce.orders.placement import KeyReused, Placed, Request, place_all
from conveyor.core.placing import NewOrder
from conveyor.testing.loop import run_virtual


def request(order_id: str, merchant: str, key: str, fingerprint: str = "f") -> Request:
    new = NewOrder(order_id, merchant, FLOW, "", "c", "USD", 0, "{}")
    return Request(merchant, key, fingerprint, new)


def test_a_key_is_its_merchants_own_in_a_group_of_many(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            registry, now = core.engine.registry, core.engine.now()

            async def place(*requests: Request) -> list[object]:
                placed = await core.database.run(lambda tx: place_all(tx, registry, requests, now))
                return list(placed)

            await place(request("1", "ours", "k"))
            answers = await place(
                request("2", "ours", "k"),
                request("3", "theirs", "k"),
                request("4", "ours", "other"),
                request("5", "ours", ""),
                request("6", "theirs", ""),
            )
            assert answers == [
                Placed("1", now.ms, again=True),
                *(Placed(str(number), now.ms, again=False) for number in (3, 4, 5, 6)),
            ]
            assert await place(request("7", "theirs", "k", "another body")) == [KeyReused("k", "3")]
            assert set(await core.owing()) == {"1", "3", "4", "5", "6"}

    run_virtual(main())
