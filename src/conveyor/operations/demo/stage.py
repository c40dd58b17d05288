"""What the demonstration runs on: its settings, everything that is there, and its orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from heapq import merge
from pathlib import Path
from typing import Any

import orjson

from conveyor.adapters.private_files import make_private_directory, make_private_file
from conveyor.extension import Demo
from conveyor.settings import DATABASE_FILE, EMBEDDED, Settings
from conveyor.system.built_in import built_in
from conveyor.system.composition import App

ORDERS_FILE = "orders.jsonl"
IN_FLIGHT = 250
"""Orders under way at a time: few enough that one can watch them."""


@cache
def demos() -> Sequence[Demo]:
    """Give what our flows show of themselves."""
    return [demo for it in built_in() if (demo := it.demo()) is not None]


def demo_settings(data: Path) -> Settings:
    """Embedded whatever the environment says, in a world that takes its time, but never minutes."""
    return Settings(
        data=data,
        database_url="",
        queue_url=EMBEDDED,
        webhook_secret="",
        payment_latency_seconds=0.05,
        backoff_base_seconds=0.5,
        max_receives=4,
        **{name: value for demo in demos() for name, value in demo.settings.items()},
    )


def may_run_in(data: Path) -> bool:
    """Whether all that the directory holds is the demonstration's own, which goes on with it."""
    path = data / ORDERS_FILE
    return not (data / DATABASE_FILE).exists() or (path.exists() and path.read_bytes() == _orders())


async def set_up(app: App, merchant: str) -> None:
    """Make whatever can be ordered."""
    for demo in demos():
        await demo.set_up(app, merchant)


def write_orders(data: Path) -> Path:
    """Write the orders as `conveyor replay` takes them; gives the file."""
    make_private_directory(data)
    path = data / ORDERS_FILE
    make_private_file(path)
    path.write_bytes(_orders())
    return path


def _orders() -> bytes:
    flows = [list(demo.orders()) for demo in demos()]
    return b"".join(orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE) for body in _mixed(flows))


async def conclude(app: App, merchant: str) -> None:
    """Wait for what goes on after the last order."""
    for demo in demos():
        await demo.conclude(app, merchant)


def _mixed(flows: Sequence[Sequence[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Give the orders of all flows so that all last equally long, whatever their number."""
    spread = (
        [(at / len(bodies), number, body) for at, body in enumerate(bodies)]
        for number, bodies in enumerate(flows)
    )
    return (body for _, _, body in merge(*spread, key=lambda one: one[:2]))
