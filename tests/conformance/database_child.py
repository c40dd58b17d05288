"""A process that writes to the database at argv[2], of kind argv[1]; says which writes returned.

It ends only when it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count

from tests.conformance.database_fixtures import Place, counters, putting

WRITERS = 8


async def main(place: Place) -> None:
    """Write as fast as it goes, from several tasks."""
    database = place.open()
    await database.run(lambda tx: counters.create(tx.connection, checkfirst=True))
    names = count()

    async def write() -> None:
        while True:
            name = f"row-{next(names)}"
            await database.run(putting(name))
            print(name, flush=True)  # noqa: T201 - this is what the parent reads

    await asyncio.gather(*(write() for _ in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(main(Place(*sys.argv[1:])))
