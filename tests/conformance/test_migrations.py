"""The migrations lead to the tables that the code declares, on every database."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from tests.conformance.database_fixtures import open_database
from tests.servers.postgres import Postgres

from conveyor.adapters.migrations import (
    HEAD,
    OURS,
    UnknownRevisionError,
    current_revision,
    is_current,
    migrate,
    revision_of,
)
from conveyor.adapters.migrations.upgrade import alembic_config
from conveyor.core.transaction import Database, Tx
from conveyor.settings import Settings
from conveyor.system.installation import installation
from conveyor.system.tables import create_all, migrate_all, revisions_of, tables_of

T = TypeVar("T")
INSTALLED = installation(Settings())
# What autogenerate does not compare: checks, conditions of indexes, storage.
CATALOG = {
    "sqlite": "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name",
    "postgresql": """
        SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), ''
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT tablename, indexname, indexdef, ''
        FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT relname, relkind::text, reloptions::text, ''
        FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT table_name, column_name, data_type, is_nullable
        FROM information_schema.columns WHERE table_schema = 'public'
        ORDER BY 1, 2, 3
    """,
}
OF_A_MONTH = re.compile("_[0-9]{4}_[0-9]{2}(_|\\b)")
OF_POSTGRESQL = {"timeline_by_number"}
PARTITION = re.compile("_(default|before_[0-9_]+|[0-9]{4}_[0-9]{2})$")


NewUrl = Callable[[], str]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> NewUrl:
    """Gives the URL of another empty database each time."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.fresh_database
    paths = (tmp_path / f"{number}.db" for number in range(100))
    return lambda: f"sqlite:///{next(paths)}"


def play(url: str, story: Callable[[Database], Awaitable[T]]) -> T:
    """Tell a story to the database, opened anew."""

    async def tell() -> T:
        database = open_database(url, inline=False)
        try:
            return await story(database)
        finally:
            await database.close()

    return asyncio.run(tell())


_LINES = re.compile(r"[ ,\t]*\n[ ,\t]*|, (?=[a-z_]+ [A-Z]+)")


def catalog(tx: Tx) -> list[list[str]]:
    """Give all that the database knows of its tables, but for Alembic's own.

    The lines of SQLite's text are sorted, and a column that was added stands on a line of its own:
    in which order a table's columns and checks stand does not matter.
    """
    for each in revisions_of(INSTALLED):
        tx.execute(sa.text(f"DROP TABLE IF EXISTS {each.version_table}"))
    texts = [" ".join(map(str, row)) for row in tx.execute(sa.text(CATALOG[tx.dialect]))]
    texts = [text for text in texts if not OF_A_MONTH.search(text)]
    return [sorted(_LINES.split(text)) for text in texts]


def test_an_empty_database_is_brought_to_the_head(new_url: NewUrl) -> None:
    async def story(database: Database) -> None:
        assert await current_revision(database) is None
        assert not await is_current(database)
        assert await migrate(database) == revisions()
        assert await is_current(database)
        assert await migrate(database) == []

    play(new_url(), story)


def test_the_migrated_tables_are_those_declared(new_url: NewUrl) -> None:
    async def migrated(database: Database) -> list[list[str]]:
        await step_by_step(database)
        await migrate_all(database, INSTALLED)
        assert await database.run(differences) == []
        return await database.run(catalog)

    async def declared(database: Database) -> list[list[str]]:
        await create_all(database, INSTALLED)
        return await database.run(catalog)

    assert play(new_url(), migrated) == play(new_url(), declared)


async def step_by_step(database: Database) -> list[str]:
    """Run every revision, as on a database that was there before the last of them."""
    whose = {each: "" if each is OURS else f"{each.of} " for each in revisions_of(INSTALLED)}
    return [f"{whose[each]}{it}" for each in whose for it in await migrate(database, each)]


def test_an_embedded_database_begins_as_all_revisions_would_leave_it(tmp_path: Path) -> None:
    def recorded(tx: Tx) -> list[object]:
        whose = sa.text("SELECT sql FROM sqlite_schema WHERE name = :name")
        return [
            (revision_of(tx, each), tx.execute(whose, {"name": each.version_table}).scalar_one())
            for each in revisions_of(INSTALLED)
        ]

    async def made(
        database: Database, make: Callable[[Database], Awaitable[list[str]]]
    ) -> tuple[object, ...]:
        applied = await make(database)
        return applied, await database.run(recorded), await database.run(catalog)

    urls = [f"sqlite:///{tmp_path / name}" for name in ("stepwise.db", "at_once.db")]
    stepwise = play(urls[0], lambda database: made(database, step_by_step))
    at_once = play(
        urls[1],
        lambda database: made(database, lambda empty: migrate_all(empty, INSTALLED)),
    )

    assert at_once == stepwise


def test_tables_of_flows_that_an_earlier_version_made_are_taken_over(new_url: NewUrl) -> None:
    of_flows = [it for it in revisions_of(INSTALLED) if it is not OURS]

    def forget(tx: Tx) -> None:
        for each in of_flows:
            tx.execute(sa.text(f"DROP TABLE {each.version_table}"))

    async def story(database: Database) -> None:
        await migrate_all(database, INSTALLED)
        await database.run(forget)
        taken_over = await migrate_all(database, INSTALLED)
        assert [it for it in taken_over if it.endswith(" 0001")] == [
            f"{it.of} 0001" for it in of_flows
        ]
        assert await migrate_all(database, INSTALLED) == []

    play(new_url(), story)


def differences(tx: Tx) -> list[object]:
    with warnings.catch_warnings():
        # Of SQLite; the texts of the indexes are compared by `catalog`.
        warnings.filterwarnings("ignore", ".*(skipp|Skipp).*expression-based index")
        return _differences(tx)


def _differences(tx: Tx) -> list[object]:
    declared = sa.MetaData()
    for tables in tables_of(INSTALLED):
        for table in tables.tables.values():
            table.to_metadata(declared)
    context = MigrationContext.configure(
        tx.connection,
        opts={
            "compare_type": True,
            "compare_server_default": True,
            "include_name": lambda name, *_: "alembic_version" not in (name or ""),
            # Autogenerate knows of no partitions, and not which database an index is for.
            "include_object": lambda _, name, *__: (
                not PARTITION.search(name)
                and (name not in OF_POSTGRESQL or tx.dialect == "postgresql")
            ),
        },
    )
    return list(compare_metadata(context, declared))


def test_the_head_is_the_newest_revision() -> None:
    assert revisions()[-1] == HEAD


def revisions() -> list[str]:
    with sa.create_engine("sqlite://").connect() as connection:
        script = ScriptDirectory.from_config(alembic_config(connection))
    return [revision.revision for revision in script.walk_revisions()][::-1]


def test_several_processes_migrate_at_once(postgres: Postgres) -> None:
    url = postgres.fresh_database()

    async def story() -> None:
        databases = [open_database(url, inline=False) for _ in range(3)]
        applied = await asyncio.gather(*(migrate(database) for database in databases))
        assert sorted(applied) == [[], [], revisions()]
        for database in databases:
            await database.close()

    asyncio.run(story())


def test_a_migration_that_fails_leaves_nothing_behind(new_url: NewUrl) -> None:
    async def story(database: Database) -> None:
        await database.run(lambda tx: tx.execute(sa.text("CREATE TABLE timeline (other TEXT)")))
        with pytest.raises(sa.exc.DBAPIError, match="timeline"):
            await migrate(database)
        assert await database.read(table_names) == ["timeline"]

    play(new_url(), story)


def table_names(tx: Tx) -> list[str]:
    return sa.inspect(tx.connection).get_table_names()


WITHOUT_PROVIDERS = "0007"
"""The revision before calls were kept with whom they were made to."""


def test_the_last_revisions_can_be_taken_back_and_keep_what_is_there(new_url: NewUrl) -> None:
    one = sa.text("""
        INSERT INTO calls
            (order_id, step, attempt, state, intended_at, may_run_until, taken, request)
        VALUES ('1', 's.s', 1, 'answered', 1, 2, 1, '')
    """)

    before = revisions().index(WITHOUT_PROVIDERS)

    def back(tx: Tx) -> list[str]:
        command.downgrade(alembic_config(tx.connection), revisions()[before])
        return [column["name"] for column in sa.inspect(tx.connection).get_columns("calls")]

    async def story(database: Database) -> None:
        await migrate(database)
        await database.run(lambda tx: tx.execute(one))
        assert "provider" not in await database.run(back)
        assert await migrate(database) == revisions()[before + 1 :]
        row = await database.read(lambda tx: tx.execute(sa.text("SELECT * FROM calls")).one())
        assert (row.order_id, row.provider) == ("1", "")

    play(new_url(), story)


def test_a_database_of_a_newer_version_is_left_alone(new_url: NewUrl) -> None:
    def from_the_future(tx: Tx) -> None:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    async def story(database: Database) -> None:
        await migrate(database)
        await database.run(from_the_future)
        with pytest.raises(UnknownRevisionError) as caught:
            await migrate(database)
        assert caught.value.revision == "9999"
        assert await current_revision(database) == "9999"

    play(new_url(), story)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_start_with_nothing_to_migrate_does_not_import_alembic(
    tmp_path: Path, *, is_new: bool
) -> None:
    url = f"sqlite:///{tmp_path / 'current.db'}"
    if not is_new:
        play(url, step_by_step)
    start = """
import asyncio, sys
from conveyor.adapters.sqlite import SqliteDatabase
from conveyor.settings import Settings
from conveyor.system.installation import installation
from conveyor.system.tables import bring_up_to_date
asyncio.run(bring_up_to_date(SqliteDatabase(sys.argv[1]), installation(Settings())))
assert "alembic" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", start, url.removeprefix("sqlite:///")], check=True)
