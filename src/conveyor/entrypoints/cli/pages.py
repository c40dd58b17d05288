"""Lists that the API gives page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    """Give up to `limit` items of the list called `name`."""
    found: list[Any] = []
    cursor: str | None = None
    async with target.client() as client:
        while len(found) < limit:
            size = min(PAGE, limit - len(found))
            page = await client.get(path, limit=size, cursor=cursor, **filters)
            found += page[name]
            cursor = page["next"]
            if not cursor:
                break
    return found
