"""A look at a server, on a connection as every process of ours opens it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from conveyor.adapters.postgres.connections import POOLED_READERS_SETTINGS, open_engine
from conveyor.adapters.postgres.places import WRITABLE
from conveyor.core.transaction import Tx

T = TypeVar("T")


def look(
    url: str, work: Callable[[Tx], T], *, pooled: bool = False, among_several: str = WRITABLE
) -> T:
    """Run `work`, which only reads, once and in this thread; nothing is tried again.

    For `pooled` and `among_several` see `open_engine`. Raises what SQLAlchemy raises.
    """
    engine = open_engine(url, 1, pooled=pooled, among_several=among_several)
    try:
        with engine.connect() as connection:
            if pooled:
                connection.exec_driver_sql(POOLED_READERS_SETTINGS)
            return work(Tx(connection))
    finally:
        engine.dispose()
