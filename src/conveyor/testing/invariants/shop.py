"""The shop: a stock adds up, and what is completed has arrived."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from conveyor.testing.invariants.evidence import TERMINAL, went_through

if TYPE_CHECKING:
    from conveyor.testing.invariants.evidence import Evidence, Row
    from conveyor.testing.world import World


def check_stock(left: Evidence, rows: list[Row]) -> None:
    """5: a stock adds up."""
    sold: Counter[tuple[str, str]] = Counter()
    moving: Counter[tuple[str, str]] = Counter()
    lost = left.lost_parcels()
    for row in rows:
        slip = left.slips[row["flow"]]
        if not slip.has("inventory.reserve"):
            continue
        completed, sells = went_through(row), slip.has("inventory.sell")
        # The carrier lost it: it is sold, and its money given back. Who sells nothing keeps it.
        may_be_held = row["id"] in lost or row["status"] not in TERMINAL or not sells
        for item in json.loads(row["body"])["items"]:
            what, quantity = (row["merchant"], item["sku"]), item["quantity"]
            sold[what] += quantity if completed and sells else 0
            moving[what] += quantity if may_be_held else 0
    query = "SELECT merchant, sku, received, available, reserved, sold FROM stock"
    for merchant, sku, received, available, held, gone in left.rows(query):
        what, found = (merchant, sku), (received, available, held, gone)
        if received != available + held + gone or min(found) < 0:
            left.say("stock_adds_up", f"{sku}: {found}")
        if not sold[what] <= gone + held <= sold[what] + moving[what] or gone < sold[what]:
            left.say("stock_is_what_was_sold", f"{sku}: {found}, sold {sold[what]}")


def check_parcel(world: World, row: Row) -> None:
    """What is completed has arrived, and nothing else has."""
    arrived = [
        p for p in world.outside.parcels.values()
        if p.order_id == row["id"] and p.arrives_at is not None
    ]  # fmt: skip
    completed = went_through(row)
    if arrived and not completed:
        world.say("undone_is_not_shipped", f"{row['id']} {row['status']}: {arrived[0].tracking}")
    if not arrived and completed and world.slips[row["flow"]].has("shipping.ship"):
        world.say("completed_is_shipped", f"{row['id']}")
