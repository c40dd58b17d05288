"""Lists that the API gives page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from conveyor.entrypoints.cli.output import note

if TYPE_CHECKING:
    from conveyor.core.untyped import Json
    from conveyor.entrypoints.cli.target import Target
    from conveyor.entrypoints.client import Client

PAGE = 100


async def pages(
    client: Client, path: str, name: str, limit: int | None, *, size: int = PAGE, **filters: Json
) -> AsyncIterator[list[Any]]:
    """Give the list called `name` page by page, of up to `limit` items; None: all of it."""
    cursor: str | None = None
    left = limit
    while left is None or left > 0:
        wanted = size if left is None else min(size, left)
        page = await client.get(path, limit=wanted, cursor=cursor, **filters)
        yield page[name]
        cursor = page["next"]
        left = None if left is None else left - len(page[name])
        if not cursor:
            return


async def collect(
    target: Target,
    path: str,
    name: str,
    limit: int,
    **filters: Json,
) -> list[Any]:
    """Give up to `limit` items of the list called `name`, and say when that may not be all."""
    found: list[Any] = []
    cursor: str | None = None
    async with target.client() as client:
        while len(found) < limit:
            size = min(PAGE, limit - len(found))
            page = await client.get(path, limit=size, cursor=cursor, **filters)
            found += page[name]
            cursor = page["next"]
            if not cursor:
                return found
    note_cut(limit)
    return found


def note_cut(limit: int) -> None:
    """Say that a list ends where it was to end, and there may be more."""
    note(f"No more than {limit:,} are shown: --limit says how many.")
