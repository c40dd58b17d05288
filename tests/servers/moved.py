"""The rows of an embedded system, moved to a PostgreSQL."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg

_TABLES = (
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
    "AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic%'"
)
_LAST = "SELECT setval(pg_get_serial_sequence('timeline', 'id'), (SELECT max(id) FROM timeline))"


def move(file: Path, url: str) -> None:
    """Copy all that the tables of the database at `url` have in the file."""
    with sqlite3.connect(file) as embedded, psycopg.connect(url) as server:
        for (table,) in server.execute(_TABLES).fetchall():
            known = [f'"{row[1]}"' for row in embedded.execute(f"PRAGMA table_info({table})")]
            if not known:
                continue
            into = f"COPY {table} ({', '.join(known)}) FROM STDIN"
            with server.cursor().copy(into.encode()) as copy:
                for row in embedded.execute(f"SELECT * FROM {table}"):  # noqa: S608 - the schema's own names
                    copy.write_row(row)
            if table == "timeline":
                server.execute(_LAST)
    embedded.close()
