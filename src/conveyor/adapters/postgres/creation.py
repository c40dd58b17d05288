"""Makes a database on a server that has another."""

from __future__ import annotations

import psycopg
from psycopg import errors, sql

from conveyor.adapters.postgres.connections import CONNECT_TIMEOUT_SECONDS
from conveyor.adapters.postgres.places import place_of
from conveyor.core.errors import ConveyorError, DatabaseUnavailableError

# Of two who make it at once, one may get as far as the catalogue's own index.
MADE_MEANWHILE = (errors.DuplicateDatabase, errors.UniqueViolation)


class CannotCreateError(ConveyorError):
    """The database is not there, and cannot be made; `name` is its name."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(f"there is no database {name!r}, and it cannot be made here: {cause}")
        self.name = name


def beside(url: str, suffix: str) -> str:
    """Give the URL of the database whose name ends with `suffix`, on the same server."""
    place = place_of(url)
    name = f"{place.database or place.username or 'postgres'}{suffix}"
    return place.set(database=name).render_as_string(hide_password=False)


def create_missing(url: str, other: str) -> None:
    """Make the database of `url` where it is missing, by way of the `other` one.

    Raises `CannotCreateError`, `DatabaseUnavailableError`, `PostgresUrlError`.
    """
    name = place_of(url).database or ""
    try:
        with _connected(other) as connection:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(query, (name,)).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except MADE_MEANWHILE:
        return
    except errors.InsufficientPrivilege as error:
        raise CannotCreateError(name, str(error).strip()) from error
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError("PostgreSQL", str(error).strip()) from error


def _connected(url: str) -> psycopg.Connection:
    place = place_of(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(
        place, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS, prepare_threshold=None
    )
