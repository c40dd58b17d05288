"""What is read from a replica, and what is not: with a real standby that may lag."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from tests.cli.driver import say, until
from tests.failover.shop import Shop, all_settle, shop_on
from tests.servers.migrated import migrated_database
from tests.servers.postgres import Postgres, postgres_server
from tests.servers.standby import (
    either,
    is_behind,
    on,
    paused,
    promote,
    standby_of,
    streams,
    waiting_for,
)

from conveyor.adapters.postgres import PostgresDatabase
from conveyor.adapters.postgres import replica as replica_module
from conveyor.adapters.postgres.replica import PostgresReplica
from conveyor.core.errors import ReplicaUnableError
from conveyor.core.transaction import Tx

COUNT, MOVING = 10, 4
_KEPT = sa.text("SELECT count(*) FROM kept")


@pytest.fixture(scope="module")
def primary() -> Iterator[Postgres]:
    with postgres_server(durable=False) as server:
        yield server


@pytest.fixture(scope="module")
def standby(primary: Postgres) -> Iterator[Postgres]:
    with standby_of(primary) as server:
        until(lambda: streams(primary))
        yield server


@pytest.fixture
def database(primary: Postgres) -> str:
    """The name of one that is up to date."""
    return migrated_database(primary).rpartition("/")[2]


def test_lists_and_reports_lag_and_an_order_by_its_id_does_not(
    primary: Postgres, standby: Postgres, database: str, tmp_path: Path
) -> None:
    with _shop(primary, standby, database, tmp_path) as shop:
        shop.start("work", "all")
        before = shop.place(COUNT, "before")
        all_settle(on(primary, database))
        until(lambda: not is_behind(primary, standby))
        with paused(standby), shop.client() as client:
            after = shop.place(1, "after")
            all_settle(on(primary, database))
            listed = [it["id"] for it in client.get("/v1/orders").json()["orders"]]
            summary = client.get("/v1/summary").json()
            of_one = client.get("/v1/summary", params={"key_prefix": "after"}).json()
            shown = say("orders", "show", *after, "--json", **shop.served).json()
            told = shop.story(after[0])
        until(lambda: not is_behind(primary, standby))
        with shop.client() as client:
            again = client.get("/v1/orders").json()["orders"]

    assert listed == before[::-1]
    assert (summary["placed"], of_one["placed"]) == (COUNT, 1)
    assert shown["status"] == "completed"
    assert (told.code, "completed" in told.out) == (0, True)
    assert len(again) == COUNT + 1


def test_an_audit_of_a_replica_that_lags_finds_nothing_wrong_with_who_moves(
    primary: Postgres, database: str, tmp_path: Path
) -> None:
    with (
        standby_of(primary, more=["recovery_min_apply_delay=500ms"]) as late,
        _shop(primary, late, database, tmp_path, CONVEYOR_PAYMENT_LATENCY_SECONDS="0.3") as shop,
    ):
        shop.start("work", "all")
        audits = []
        for customer in range(MOVING):
            shop.place(COUNT, str(customer))
            audits.append(shop.audit())
        all_settle(on(primary, database))
        audits.append(shop.audit())

    assert [it.code for it in audits] == [0] * (MOVING + 1), audits
    # It has waited for what was committed before it was asked.
    assert json.loads(audits[-1].out)["by_status"] == {"completed": MOVING * COUNT}


def test_an_audit_does_not_wait_for_ever(
    primary: Postgres, standby: Postgres, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: not is_behind(primary, standby))
    monkeypatch.setattr(replica_module, "CATCH_UP_SECONDS", 0.1)

    async def story() -> None:
        ours = PostgresDatabase(on(primary, database), connections=1)
        replica = PostgresReplica(on(standby, database), connections=1)
        with paused(standby):
            await ours.run(lambda tx: tx.execute(sa.text("CREATE TABLE other (number int)")))
            with pytest.raises(ReplicaUnableError, match="has not replayed"):
                await replica.catch_up(ours)
        monkeypatch.undo()
        await replica.catch_up(ours)
        await replica.close()
        await ours.close()

    asyncio.run(story())


PLANTED = [
    ("behind", "lag"),
    ("the primary itself", "standby"),
    ("another", "standby"),
    ("away", "127.0.0.1:1"),
]


@pytest.mark.parametrize(("what", "subject"), PLANTED, ids=[it[0] for it in PLANTED])
def test_doctor_looks_at_the_replica(
    primary: Postgres, standby: Postgres, database: str, what: str, subject: str
) -> None:
    until(lambda: not is_behind(primary, standby))
    well = _examined(primary, on(standby, database), database)
    assert {it["status"] for it in well.values()} == {"ok"}
    assert set(well) == {"standby", "lag", "migrations"}

    url = on(standby, database)
    if what == "behind":
        with paused(standby):
            say("stock", "set", "CD", 1, CONVEYOR_DATABASE_URL=on(primary, database))
            found = _examined(primary, url, database)
    elif what == "another":
        with postgres_server(durable=False) as other:
            found = _examined(primary, other.url, database)
    else:
        url = (
            on(primary, database) if what == "the primary itself" else "postgresql://127.0.0.1:1/x"
        )
        found = _examined(primary, url, database)

    [wrong] = [it for name, it in found.items() if subject in name]
    assert wrong["status"] in {"warning", "failure"}
    assert wrong["todo"]


def test_doctor_names_a_standby_that_was_promoted(primary: Postgres, database: str) -> None:
    with standby_of(primary) as standby:
        promote(standby)
        found = _examined(primary, on(standby, database), database)
    assert found["standby"]["status"] == "failure"


@pytest.mark.parametrize(
    ("names", "status", "says"),
    [
        ("", "ok", "commits wait for none"),
        ("standby", "ok", "which follows"),
        ("gone", "failure", "nothing is committed"),
    ],
)
@pytest.mark.usefixtures("standby")
def test_doctor_says_whom_commits_wait_for(
    primary: Postgres, database: str, names: str, status: str, says: str
) -> None:
    with (
        psycopg.connect(primary.url, autocommit=True) as operator,
        waiting_for(names, operator),
    ):
        said = say("doctor", "--json", CONVEYOR_DATABASE_URL=on(primary, database))
    [found] = [it for it in json.loads(said.out)["checks"] if "standby" in it["subject"]]
    assert (found["status"], says in found["says"]) == (status, True), found


def test_what_replaying_cuts_off_is_read_again_and_said_when_it_lasts(primary: Postgres) -> None:
    url = primary.fresh_database()
    with (
        psycopg.connect(url, autocommit=True) as writer,
        # No time for whoever reads.
        standby_of(primary, more=["max_standby_streaming_delay=0"]) as standby,
    ):
        writer.execute("CREATE TABLE kept (number int)")
        writer.execute("INSERT INTO kept SELECT generate_series(1, 1000)")
        until(lambda: not is_behind(primary, standby))
        reads: list[int] = []

        def read(tx: Tx, disturbed: int) -> int:
            reads.append(tx.execute(_KEPT).scalar_one())
            if len(reads) <= disturbed:
                # A row that this transaction still sees is removed under it.
                writer.execute("DELETE FROM kept WHERE number = %s", (len(reads),))
                writer.execute("VACUUM kept")
                writer.execute("SELECT pg_logical_emit_message(true, '', '')")  # on disk by then
                until(lambda: not is_behind(primary, standby))
            return int(tx.execute(_KEPT).scalar_one())

        async def story() -> None:
            replica = PostgresReplica(on(standby, url.rpartition("/")[2]), connections=1)
            assert await replica.examine(lambda tx: read(tx, 1)) == 999
            assert reads == [1000, 999]
            with pytest.raises(ReplicaUnableError, match="max_standby_streaming_delay"):
                await replica.examine(lambda tx: read(tx, 100))
            await replica.close()

        asyncio.run(story())


def _examined(primary: Postgres, replica: str, database: str) -> dict[str, Any]:
    urls = {"CONVEYOR_DATABASE_URL": on(primary, database), "CONVEYOR_DATABASE_READ_URL": replica}
    checks = json.loads(say("doctor", "--json", **urls).out)["checks"]
    return {it["subject"]: it for it in checks if it["check"] == "replica"}


@contextmanager
def _shop(
    primary: Postgres, standby: Postgres, database: str, home: Path, **settings: str
) -> Iterator[Shop]:
    """Serve from both, each process by the URL that the documentation advises."""
    reads = either(standby, primary, database)
    settings |= {"CONVEYOR_DATABASE_READ_URL": reads}
    with shop_on(home, on(primary, database), **settings) as shop:
        shop.set_up()
        shop.open()
        yield shop
