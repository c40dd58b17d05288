"""What the database itself is to blame for is no order's fault, wherever in a group it comes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.servers.postgres import Postgres
from tests.unit.core_driver import Core

from conveyor.adapters.postgres import PostgresDatabase
from conveyor.core.consumer import Consumer
from conveyor.core.outbox import OwedToken
from conveyor.core.retries import RetryPolicy
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.testing.loop import run_virtual

GOOD, BROKEN = "good", "broken"
ENDS_AFTER = 5
"""So many times the database fails, and then it does not."""


async def ready_at_desk(core: Core, *references: str) -> list[OwedToken]:
    """Bring orders to the second step, of which one is broken: the group is run again for it."""
    core.desk.broken = {BROKEN}
    owed = await core.place(*references)
    await core.take("ask", *owed)
    return owed


async def take_at_desk(core: Core) -> None:
    desk = core.queues.queue("desk")
    await Consumer(core.engine, "desk").handle(await desk.receive(10, 0))


def failing(times: int, fail: Callable[[Tx], None]) -> Callable[[Tx, str], None]:
    """Fail while the good order takes its step, but not in the group's first, bare run."""
    came = 0

    def before(tx: Tx, reference: str) -> None:
        nonlocal came
        came += reference == GOOD
        if reference == GOOD and 1 < came <= times + 1:
            fail(tx)

    return before


def postgres_core(tmp_path: Path, postgres: Postgres) -> Core:
    database = PostgresDatabase(postgres.fresh_database(), connections=1, inline=True)
    return Core(tmp_path, database=database)


@pytest.mark.parametrize(
    "sqlstate",
    [
        *("40001", "40P01", "25006", "53100", "53200", "53300", "55P03", "57P01", "57P03", "58030"),
        # No such table or schema, and no right to it: the deployment is not as it should be.
        *("42P01", "3F000", "42501"),
    ],
)
@pytest.mark.parametrize("times", [1, 20])
def test_what_postgresql_is_to_blame_for_is_no_fault_of_an_order(
    tmp_path: Path, postgres: Postgres, sqlstate: str, times: int
) -> None:
    raising = sa.text(f"DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '{sqlstate}'; END $$")

    async def main() -> None:
        async with postgres_core(tmp_path, postgres) as core:
            good, broken = await ready_at_desk(core, GOOD, BROKEN)
            core.desk.before = failing(times, lambda tx: tx.connection.execute(raising).close())
            await take_at_desk(core)
            assert TimelineEvent.FAULT not in await core.events(good)
            assert (await core.orders([good]))[0].status == "completed"
            assert (await core.events(broken)).count(TimelineEvent.FAULT) == 1

    run_virtual(main())


def test_a_statement_that_is_wrong_is_its_orders_fault(tmp_path: Path, postgres: Postgres) -> None:
    def mistype(tx: Tx) -> None:
        tx.execute(sa.text("SELEKT 1"))

    async def main() -> None:
        async with postgres_core(tmp_path, postgres) as core:
            good, broken = await ready_at_desk(core, GOOD, BROKEN)
            core.desk.before = failing(1, mistype)
            await take_at_desk(core)
            assert [
                (await core.events(one)).count(TimelineEvent.FAULT) for one in (good, broken)
            ] == [1, 1]

    run_virtual(main())


def test_a_full_disk_is_no_fault_of_an_order(tmp_path: Path) -> None:
    def fill(tx: Tx) -> None:
        pages = tx.execute(sa.text("PRAGMA page_count")).scalar_one()
        tx.execute(sa.text(f"PRAGMA max_page_count = {pages}"))
        try:
            tx.execute(sa.text("INSERT INTO turns VALUES (hex(zeroblob(100000)), 1)"))
        finally:
            tx.connection.connection.execute("PRAGMA max_page_count = 1000000")

    async def main() -> None:
        async with Core(tmp_path) as core:
            good, broken = await ready_at_desk(core, GOOD, BROKEN)
            core.desk.before = failing(ENDS_AFTER, fill)
            await take_at_desk(core)
            assert TimelineEvent.FAULT not in await core.events(good)
            assert (await core.orders([good]))[0].status == "completed"
            assert (await core.events(broken)).count(TimelineEvent.FAULT) == 1

    run_virtual(main())


def test_after_a_failover_connections_to_the_old_primary_are_replaced(
    tmp_path: Path, postgres: Postgres
) -> None:
    """It can only be read now; whoever connects anew finds the one that can be written."""
    url = postgres.fresh_database()
    name = url.rpartition("/")[2]
    admin = sa.create_engine(
        postgres.url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )

    def read_only(setting: str) -> None:
        with admin.connect() as connection:
            alter = f'ALTER DATABASE "{name}" SET default_transaction_read_only = {setting}'
            connection.exec_driver_sql(alter)

    async def main() -> None:
        database = PostgresDatabase(url, connections=1, inline=True)
        async with Core(tmp_path, database=database) as core:
            [good] = await ready_at_desk(core, GOOD)
            read_only("on")
            await database.read(lambda tx: tx.connection.invalidate())  # it connects to that one
            core.desk.before = lambda _tx, _reference: None
            opened = core.engine.gate.opened_in_time

            async def recovers(stop: object) -> bool:
                read_only("off")
                return await opened(stop)  # type: ignore[arg-type]

            core.engine.gate.opened_in_time = recovers  # type: ignore[method-assign]
            await take_at_desk(core)
            assert TimelineEvent.FAULT not in await core.events(good)
            assert (await core.orders([good]))[0].status == "completed"

    run_virtual(main())
    admin.dispose()


def test_tries_go_on_being_counted_when_a_token_comes_as_another_message(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path, retries=RetryPolicy(max_receives=3)) as core:
            core.desk.broken = {BROKEN}
            [owed] = await core.place(BROKEN)
            await core.take("ask", owed)
            desk = core.queues.queue("desk")
            body = desk.sent[0]
            statuses = []
            for _ in range(3):
                await desk.purge()
                await desk.send([body])
                await take_at_desk(core)
                statuses.append((await core.orders([owed]))[0].status)
            assert statuses == ["processing", "processing", "parked"]

    run_virtual(main())
