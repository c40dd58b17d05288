"""Searches that a merchant's operators keep by a name: kept, listed and forgotten."""

from __future__ import annotations

from conveyor.commerce.orders import saved_searches
from conveyor.commerce.orders.saved_searches import (
    KEPT,
    LONGEST_NAME,
    MOST_SAVED,
    OF_ONE,
    SavedSearch,
)
from conveyor.core.actor import Actor
from conveyor.core.engine import Engine
from conveyor.operations.noted_changes import changed

__all__ = [
    "KEPT",
    "LONGEST_NAME",
    "MOST_SAVED",
    "OF_ONE",
    "SavedSearch",
    "forget_search",
    "save_search",
    "searches_of",
]


async def searches_of(engine: Engine, merchant: str) -> list[SavedSearch]:
    """Give a merchant's, by name."""
    return await engine.database.read(lambda tx: saved_searches.listing(tx, merchant))


async def save_search(
    engine: Engine, merchant: str, name: str, asks: dict[str, str], by: Actor
) -> bool:
    """Keep a search, in the place of one of the same name; says whether there was room for it."""
    now_ms = engine.ambient.now_ms()
    return await changed(
        engine,
        by,
        "searches.save",
        lambda tx: saved_searches.save(tx, merchant, name, asks, now_ms),
        subject=name,
        took=bool,
    )


async def forget_search(engine: Engine, merchant: str, name: str, by: Actor) -> bool:
    """Keep it no longer; says whether it was there."""
    return await changed(
        engine,
        by,
        "searches.forget",
        lambda tx: saved_searches.forget(tx, merchant, name),
        subject=name,
        took=bool,
    )
