"""PostgreSQL, for many processes on many machines."""

from conveyor.adapters.postgres.database import PostgresDatabase

__all__ = ["PostgresDatabase"]
