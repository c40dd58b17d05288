"""The embedded database: one file, owned by one process."""

from conveyor.adapters.sqlite.database import SqliteDatabase

__all__ = ["SqliteDatabase"]
