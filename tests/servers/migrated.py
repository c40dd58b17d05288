"""Databases that are up to date: one is migrated for each server, and copied for all others."""

from __future__ import annotations

import asyncio

import psycopg
from tests.servers.postgres import Postgres

from conveyor.settings import Settings
from conveyor.system.backends import open_database
from conveyor.system.installation import installation
from conveyor.system.tables import migrate_all

TEMPLATE = "migrated"
_IS_THERE = "SELECT count(*) FROM pg_database WHERE datname = %s AND datistemplate"
# A template is whole: who dies while it is made leaves a database that nobody takes for one.
_IS_WHOLE = f'ALTER DATABASE "{TEMPLATE}" IS_TEMPLATE true'


def migrated_database(postgres: Postgres) -> str:
    """Give the URL of a new database with all tables, as `conveyor migrate` makes them."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        [is_there] = connection.execute(_IS_THERE, [TEMPLATE]).fetchone() or [0]
        if not is_there:
            connection.execute(f'CREATE DATABASE "{TEMPLATE}"'.encode())
            asyncio.run(_migrate(f"{postgres.url.rpartition('/')[0]}/{TEMPLATE}"))
            connection.execute(_IS_WHOLE.encode())
    return postgres.fresh_database(TEMPLATE)


async def _migrate(url: str) -> None:
    database = open_database(Settings(database_url=url))
    await migrate_all(database, installation(Settings()))
    await database.close()
