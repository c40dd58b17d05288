"""Lists that the API gives page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conveyor.entrypoints.cli.output import note

if TYPE_CHECKING:
    from conveyor.core.untyped import Json
    from conveyor.entrypoints.cli.target import Target

PAGE = 100


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
