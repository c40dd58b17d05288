"""What the demonstration runs on: its settings, everything that is there, and its orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import zip_longest
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from conveyor.adapters.private_files import make_private_directory, make_private_file
from conveyor.core.routing_slip import Flow
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.extension import Demo, Extension
from conveyor.extension.ports import SIMULATED
from conveyor.settings import DATABASE_FILE, EMBEDDED, Settings
from conveyor.system.composition import App
from conveyor.system.installation import installation

ORDERS_FILE = "orders.jsonl"
IN_FLIGHT = 250
"""Orders under way at a time: few enough that one can watch them."""


@dataclass(frozen=True)
class Demonstration:
    """What the extensions that are installed show of themselves, ours before those of packages."""

    demos: Sequence[tuple[Extension, Demo]]

    def settings(self, data: Path) -> Settings:
        """Embedded whatever the environment says, in a world that takes its time, never minutes."""
        return Settings(
            data=data,
            database_url="",
            queue_url=EMBEDDED,
            payment_provider=SIMULATED,
            carrier=SIMULATED,
            webhook_secret="",
            payment_latency_seconds=0.05,
            backoff_base_seconds=0.5,
            max_receives=4,
            **{name: value for _, demo in self.demos for name, value in demo.settings.items()},
        )

    @property
    def flows(self) -> Sequence[Flow]:
        """Give the flows that are shown."""
        return [flow for extension, _ in self.demos for flow in extension.flows]

    def may_run_in(self, data: Path) -> bool:
        """Whether all that the directory holds is its own; then it goes on with that."""
        if not (data / DATABASE_FILE).exists():
            return True
        path = data / ORDERS_FILE
        return path.exists() and path.read_bytes() == self._orders()

    def write_orders(self, data: Path) -> Path:
        """Write the orders as `conveyor replay` takes them; gives the file."""
        make_private_directory(data)
        path = data / ORDERS_FILE
        make_private_file(path)
        path.write_bytes(self._orders())
        return path

    async def set_up(self, app: App, merchant: str) -> None:
        """Make whatever can be ordered."""
        for _, demo in self.demos:
            await demo.set_up(app, merchant)

    def trickle(self) -> Iterator[dict[str, Any]]:
        """Give orders that go on being placed, of each flow that has some in turn."""
        turns = zip_longest(*(demo.trickle() for _, demo in self.demos))
        return (order for turn in turns for order in turn if order is not None)

    async def conclude(self, app: App, merchant: str) -> None:
        """Wait for what goes on after the last order."""
        for _, demo in self.demos:
            await demo.conclude(app, merchant)

    async def worth_a_look(self, app: App) -> dict[str, str]:
        """Give an order of each kind that has a story to tell, with what is special about it."""
        return await app.parts.database.read(self._worth_a_look)

    def _worth_a_look(self, tx: Tx) -> dict[str, str]:
        told: dict[str, str] = {}
        for extension, demo in self.demos:
            mine = orders.c.flow.in_([flow.key for flow in extension.flows])
            for condition, why in demo.stories:
                query = sa.select(orders.c.id).where(mine, condition).order_by(orders.c.id).limit(1)
                found = tx.execute(query).scalar()
                if found is not None:
                    told[found] = why
        return told

    def _orders(self) -> bytes:
        mixed = _mixed([list(demo.orders()) for _, demo in self.demos])
        return b"".join(orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE) for body in mixed)


def demonstration() -> Demonstration:
    """Find what is shown: of each extension that is installed. Raises `ExtensionError`."""
    installed = installation(Settings()).extensions
    return Demonstration([(it, demo) for it in installed if (demo := it.demo()) is not None])


def _mixed(flows: Sequence[Sequence[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Give the orders of all flows so that all last equally long, whatever their number."""
    spread = (
        [(at / len(bodies), number, body) for at, body in enumerate(bodies)]
        for number, bodies in enumerate(flows)
    )
    return (body for _, _, body in merge(*spread, key=lambda one: one[:2]))
