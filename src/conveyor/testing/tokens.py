"""What is owed to orders, read straight from the files that a dead process has left."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from conveyor.core.order_status import SETTLED
from conveyor.testing.virtual import BrokenInvariantError


def check_tokens(directory: Path) -> None:
    """Invariant 6: a live order is owed a token that is good; nothing else would move it on.

    Raises `BrokenInvariantError`.
    """
    if not (directory / "queue.db").exists():
        return  # it died before it had made its files
    with (
        closing(sqlite3.connect(directory / "conveyor.db")) as db,
        closing(sqlite3.connect(directory / "queue.db")) as queue,
    ):
        if not db.execute("SELECT name FROM sqlite_master WHERE name = 'orders'").fetchall():
            return
        events = [json.loads(body) for (body,) in queue.execute("SELECT body FROM message")]
        messages = {(it["subject"], it["orderversion"]) for it in events if "subject" in it}
        owed = set(db.execute("SELECT order_id, version FROM outbox"))
        for order_id, version, status in db.execute("SELECT id, version, status FROM orders"):
            if status not in SETTLED and (order_id, version) not in owed | messages:
                raise BrokenInvariantError(f"order {order_id} is owed no token at {version}")
