"""A small system at rest, with orders of every flow in many states, for planting violations."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.flows import meals, renewals

from conveyor.commerce.orders.placement import Placed
from conveyor.flows.shop.inventory.store import set_stock
from conveyor.flows.travel.bookings import granting
from conveyor.flows.travel.bookings.model import Offer, Terms
from conveyor.operations.audit import AuditReport, run_audit
from conveyor.operations.refunds import Refunded, refund
from conveyor.system.composition import App
from conveyor.system.parts import Parts
from conveyor.testing.crashing import Boundaries
from conveyor.testing.loop import ProcessLoop
from conveyor.testing.simulated import open_books
from conveyor.testing.virtual import Machine

ORDER: dict[str, Any] = {
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1}],
    "total": 1177,
    "payment": {"method": "card_ok"},
    "shipping": {"country": "US"},
}
TWO = ORDER | {"items": [{"sku": "CD", "quantity": 2, "unit_price": 500}], "total": 1000}
JOURNEY: dict[str, Any] = {
    "flow": "travel",
    "customer": {"id": "1"},
    "currency": "USD",
    "waitlist": True,
    "total": 1000,
    "legs": [{"flight": "F1", "date": "2030-01-01"}],
    "payment": {"method": "card_ok"},
}
SHOP = {
    "shop": ("k1", TWO),
    "keyless": ("", ORDER),
    "rejected": ("k2", ORDER | {"shipping": {"country": "XX"}}),
    "declined": ("k3", ORDER | {"payment": {"method": "card_declined"}}),
    "parked": ("k4", ORDER | {"payment": {"method": "card_down"}}),
    "awaiting": ("k5", ORDER | {"shipping": {"country": "US", "city": "Mute"}}),
}


class Base:
    """The system's files, and the ids of its orders by name."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ids: dict[str, str] = {}
        self._world = Machine(directory, {"delivery_delay_seconds": 0})
        self._world.run(self._live)
        self.elapsed = self._world.elapsed

    async def _live(self, app: App) -> None:
        await app.parts.database.run(lambda tx: set_stock(tx, "default", "CD", 1_000))
        for name, (key, body) in SHOP.items():
            await self._put(app, name, key, body)
        await self._put(app, "refunded", "k6", TWO)
        town = (meals.at_metres("r1", 100), meals.at_metres("r2", 200))
        await meals.open_town(app, *town)
        self.ids["meal"] = await meals.order_meal(app, "f1")
        await meals.settled(app, self.ids["meal"])
        self.ids["fee"] = late = await meals.order_meal(app, "f2")
        await meals.until(app, late, "awaiting", "processing", step="riders.assign")
        await meals.call_off(app, late)
        await meals.settled(app, late)
        seat = [Offer("flight/F1/2030-01-01", 1)]
        await app.parts.database.run(lambda tx: granting.offer(tx, "default", seat, Terms(), 0))
        await self._put(app, "journey", "t1", JOURNEY)
        await asyncio.sleep(30)
        for name, key in (("waits", "t2"), ("waits_too", "t3")):
            await self._put(app, name, key, JOURNEY)
        await renewals.make_plan(app)
        cards = [("s1", "card_ok"), ("s2", "card_insufficient_funds")]
        await renewals.subscribe(app, cards)
        await asyncio.sleep(600)
        given = await refund(app.engine, self.ids["refunded"], "default", "arrived broken")
        assert isinstance(given, Refunded)
        await meals.settled(app, self.ids["refunded"])

    async def _put(self, app: App, name: str, key: str, body: Mapping[str, Any]) -> None:
        placed = await app.placement.place("default", key, app.installed.bodies.read(body))
        assert isinstance(placed, Placed)
        self.ids[name] = placed.order_id

    def planted(self, ours: Sequence[str], theirs: Sequence[str], at: Path) -> AuditReport:
        """Copy the files, change the copy by these statements, and audit it."""
        shutil.copytree(self.directory, at)
        carriers = [it for it in theirs if "carrier_parcels" in it]
        providers = [it for it in theirs if it not in carriers]
        for name, statements in (
            ("conveyor.db", ours),
            ("provider.db", providers),
            ("carrier.db", carriers),
        ):
            with sqlite3.connect(at / name) as connection:
                connection.execute("PRAGMA ignore_check_constraints = ON")
                for statement in statements:
                    connection.execute(statement.format(**self.ids))
            connection.close()
        return self._audit(at)

    def _audit(self, directory: Path) -> AuditReport:
        world = Machine(directory)
        loop = ProcessLoop(self.elapsed)
        parts = self._parts(world, loop)

        async def look() -> AuditReport:
            app = App(world.settings, parts, world.installed)
            await open_books(parts)
            await app.open()
            return await run_audit(app)

        try:
            return loop.run_until_complete(look())
        finally:
            world._bury(loop, parts)

    def _parts(self, world: Machine, loop: ProcessLoop) -> Parts:
        return world._parts(loop, Boundaries())


def found(report: AuditReport) -> dict[str, list[str]]:
    """Give what was found: the examples of each rule that is broken."""
    return {finding.name: finding.examples for finding in report.findings if finding.violations}


def shown(report: AuditReport) -> str:
    """Show it, for a test that fails."""
    return json.dumps(found(report), indent=1)
