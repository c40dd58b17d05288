"""A system of its own behind a server, on either database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.api.serving import Server
from tests.servers.migrated import migrated_database

EACH = ["sqlite", "postgres"]


@contextmanager
def server_on(
    request: pytest.FixtureRequest, kind: str, home: Path, **settings: Any
) -> Iterator[Server]:
    """Serve on a database of this kind, one of `EACH`, that is new."""
    if kind == "sqlite":
        with Server(home, **settings) as running:
            yield running
        return
    url = migrated_database(request.getfixturevalue("postgres"))
    with Server(home, database_url=url, **settings) as running:
        yield running
