"""A system of its own behind a server, on either database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.api.serving import Server
from tests.servers.postgres import postgres_server

from conveyor.settings import Settings
from conveyor.system.backends import open_database
from conveyor.system.installation import installation
from conveyor.system.tables import migrate_all

EACH = ["sqlite", "postgres"]


@contextmanager
def server_on(kind: str, home: Path, **settings: Any) -> Iterator[Server]:
    """Serve on a database of this kind, one of `EACH`, that is new."""
    if kind == "sqlite":
        with Server(home, **settings) as running:
            yield running
        return
    with postgres_server(durable=False) as postgres:
        url = postgres.fresh_database()
        asyncio.run(_migrate(url))
        with Server(home, database_url=url, **settings) as running:
            yield running


async def _migrate(url: str) -> None:
    database = open_database(Settings(database_url=url))
    await migrate_all(database, installation(Settings()))
    await database.close()
