"""Doctor finds each way in which a database is not as it must be, one planted at a time."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.cli.driver import bodies, running, say
from tests.doctor.conftest import Environment
from tests.servers.pooler import pooled
from tests.servers.postgres import Postgres

from conveyor.adapters.postgres.looking import look
from conveyor.operations.doctor import postgres as server_checks
from conveyor.operations.doctor.findings import Status
from conveyor.settings import Settings

Change = Callable[[psycopg.Connection[Any], str], None]


def examined(**environment: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Give doctor's findings by check and subject, but for what is fine."""
    said = say("doctor", "--json", **environment)
    report = json.loads(said.out)
    wrong = [it for it in report["checks"] if it["status"] != "ok"]
    assert said.code == (1 if any(it["status"] == "failure" for it in wrong) else 0)
    assert all(it["todo"] for it in wrong)
    return {(it["check"], it["subject"]): it for it in wrong}


def sql(*statements: str) -> Change:
    def change(connection: psycopg.Connection[Any], name: str) -> None:
        for statement in statements:
            connection.execute(statement.replace("NAME", name).encode())

    return change


def set_for(name: str, value: str) -> Change:
    return sql(f'ALTER DATABASE "NAME" SET {name} = {value}')


DROP_MONTHS = """
DO $$ DECLARE month regclass; BEGIN
    FOR month IN
        SELECT inhrelid FROM pg_inherits
        WHERE inhparent IN ('timeline'::regclass, 'calls'::regclass)
        AND inhrelid NOT IN ('timeline_default'::regclass, 'calls_default'::regclass)
    LOOP EXECUTE format('DROP TABLE %s', month); END LOOP;
END $$
"""
PLANTED: list[tuple[str, str, Change, str]] = [
    ("database", "migrations", sql("DROP TABLE alembic_version"), "empty"),
    ("database", "migrations", sql("UPDATE alembic_version SET version_num = '0003'"), "behind"),
    ("database", "migrations", sql("UPDATE alembic_version SET version_num = '9999'"), "ahead"),
    ("database", "migrations", sql("DROP TABLE turns"), "without turns"),
    ("database", "months", sql(DROP_MONTHS), "not made"),
    (
        "database",
        "default partition",
        sql(
            "INSERT INTO timeline (order_id, version, at, event, step, attempt, detail) "
            "VALUES ('01BX5ZZKBKACTAV9WEVGEMMVRZ', 1, 1, 'placed', '', 0, '')"
        ),
        "timeline_default holds 1 row of 2017-10",
    ),
    ("database", "read-only", set_for("default_transaction_read_only", "on"), "read-only"),
    ("database", "synchronous_commit", set_for("synchronous_commit", "off"), "can be lost"),
    ("database", "transaction_timeout", set_for("transaction_timeout", "'5s'"), "5000 ms"),
    ("database", "idle_session_timeout", set_for("idle_session_timeout", "'9s'"), "9000 ms"),
    (
        "database",
        "connections",
        sql('ALTER DATABASE "NAME" CONNECTION LIMIT 5'),
        "5 at most",
    ),
]


@pytest.mark.parametrize(
    ("check", "subject", "plant", "says"),
    PLANTED,
    ids=[f"{subject}-{number}" for number, (_, subject, _, _) in enumerate(PLANTED)],
)
def test_each_fault_of_a_server_is_named(
    database: str, check: str, subject: str, plant: Change, says: str
) -> None:
    before = examined(CONVEYOR_DATABASE_URL=database)
    with psycopg.connect(database, autocommit=True) as connection:
        plant(connection, database.rpartition("/")[2])

    after = examined(CONVEYOR_DATABASE_URL=database)

    assert (check, subject) not in before
    assert says in after[check, subject]["says"]
    # Of tables that this version cannot read it says no more.
    assert after.keys() - before.keys() == {(check, subject)}


def test_a_server_that_is_away_is_named_without_its_password() -> None:
    url = "postgresql://me:secret@127.0.0.1:1/orders"
    said = say("doctor", "--json", CONVEYOR_DATABASE_URL=url)
    assert "127.0.0.1:1/orders" in said.out
    assert "secret" not in said.out


def test_a_role_without_rights_and_one_with_few_connections(
    postgres: Postgres, database: str
) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN CONNECTION LIMIT 4")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    found = examined(CONVEYOR_DATABASE_URL=database.replace("postgres@", "reader@"))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP OWNED BY reader")
        connection.execute("DROP ROLE reader")
    assert "orders" in found["database", "rights"]["says"]
    assert "4 at most" in found["database", "connections"]["says"]


def test_behind_a_pooler_the_settings_of_each_transaction_count(
    postgres: Postgres, database: str
) -> None:
    with pooled(postgres) as pooler:
        behind = f"{pooler.url.rpartition('/')[0]}/{database.rpartition('/')[2]}"
        found = examined(CONVEYOR_DATABASE_URL=behind, CONVEYOR_DATABASE_POOLED="1")
    assert {name for check, name in found if check == "database"} == set()


def test_a_database_that_is_not_in_utf8_is_named(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    url = f"{postgres.url.rpartition('/')[0]}/latin"
    assert "LATIN1" in examined(CONVEYOR_DATABASE_URL=url)["database", "encoding"]["says"]


@pytest.mark.parametrize(
    ("changed", "subject", "status"),
    [
        ({"is_standby": True}, "read-only", Status.FAILURE),
        ({"isolation": "serializable"}, "isolation", Status.FAILURE),
        ({"fsync": "off"}, "fsync", Status.FAILURE),
        ({"full_page_writes": "off"}, "full_page_writes", Status.FAILURE),
        ({"statement_timeout": "0"}, "statement_timeout", Status.FAILURE),
        ({"lock_timeout": "0"}, "lock_timeout", Status.FAILURE),
        (
            {"idle_in_transaction_session_timeout": "0"},
            "idle_in_transaction_session_timeout",
            Status.FAILURE,
        ),
        ({"major": 13}, "server", Status.WARNING),
        ({"collation_is_now": "2.99"}, "collation", Status.FAILURE),
        ({"connections": 196}, "connections", Status.WARNING),
        ({"host": "db.example.com"}, "TLS", Status.WARNING),
    ],
    ids=lambda it: next(iter(it)) if isinstance(it, dict) else "",
)
def test_what_no_test_server_can_be_made_to_say(
    database: str, changed: dict[str, Any], subject: str, status: Status
) -> None:
    given = look(database, server_checks.facts)
    settings = Settings(database_url=database)
    assert all(it.status is Status.OK for it in server_checks.judged(given, settings))
    fields = {name: it for name, it in changed.items() if hasattr(given, name)}
    said = {name: it for name, it in changed.items() if name not in fields}
    worse = replace(given, settings=given.settings | said, **fields)
    wrong = [it for it in server_checks.judged(worse, settings) if it.status is not Status.OK]
    assert [(it.subject, it.status) for it in wrong] == [(subject, status)]


@pytest.mark.parametrize(("skew", "wrong"), [(4_000, False), (60_000, True), (-60_000, True)])
def test_a_clock_that_is_off_is_named(database: str, skew: int, wrong: bool) -> None:
    found = look(
        database, lambda tx: server_checks.clock(tx, lambda: time.time_ns() // 1_000_000 + skew)
    )
    assert [it.status is Status.WARNING for it in found] == [wrong]
    assert ("it is -" if skew > 0 else "it is +") in found[0].says


@pytest.fixture
def data(home: Path, tmp_path: Path) -> Path:
    return shutil.copytree(home, tmp_path / "data")


def in_file(*statements: str) -> Callable[[Path], None]:
    def change(data: Path) -> None:
        with sqlite3.connect(data / "conveyor.db") as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    return change


def other_text(data: Path) -> None:
    (data / "conveyor.db").unlink()
    with sqlite3.connect(data / "conveyor.db") as connection:
        connection.execute("PRAGMA encoding = 'UTF-16'")
        connection.execute("CREATE TABLE t (a)")
    connection.close()
    (data / "conveyor.db").chmod(0o600)


EMBEDDED: list[tuple[str, Callable[[Path], Any], str]] = [
    ("conveyor.db", lambda data: (data / "conveyor.db").unlink(), "there is no database"),
    ("conveyor.db", lambda data: (data / "conveyor.db").write_bytes(b"x" * 99), "cannot be read"),
    ("migrations", in_file("UPDATE alembic_version SET version_num = '0002'"), "behind"),
    ("migrations", in_file("UPDATE alembic_version SET version_num = 'x'"), "ahead"),
    ("migrations", in_file("DROP TABLE outbox"), "without outbox"),
    ("encoding", other_text, "UTF-16"),
    ("data", lambda data: data.chmod(0o755), "0755"),
    ("queue.db", lambda data: (data / "queue.db").chmod(0o644), "0644"),
]


@pytest.mark.parametrize(
    ("subject", "plant", "says"), EMBEDDED, ids=[f"{it[0]}-{it[2]}" for it in EMBEDDED]
)
def test_each_fault_of_an_embedded_directory_is_named(
    data: Path, subject: str, plant: Callable[[Path], Any], says: str
) -> None:
    assert examined(CONVEYOR_DATA=str(data)) == {}
    plant(data)
    names = sorted(it.name for it in data.iterdir())
    found = examined(CONVEYOR_DATA=str(data))
    named = {Path(name).name: it["says"] for (_, name), it in found.items()}
    assert says in named[subject]
    assert sorted(it.name for it in data.iterdir()) == names  # it has made no file


def test_disks_that_fill_up_and_network_file_systems(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conveyor.operations.doctor import disk  # noqa: PLC0415 - to change what the system says

    usage = shutil.disk_usage(data)
    for free, status in ((50, "failure"), (500, "warning")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, f=free: usage._replace(free=f << 20))
        assert examined(CONVEYOR_DATA=str(data))["disk", str(data)]["status"] == status
    monkeypatch.undo()
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {data} nfs4 rw 0 0\n")
    monkeypatch.setattr(disk, "MOUNTS", mounts)
    assert "nfs4" in examined(CONVEYOR_DATA=str(data))["disk", str(data)]["says"]


def test_open_orders_without_anybody_at_work(data: Path) -> None:
    say("place", "-", "--data", data, stdin=json.dumps(bodies(1)[0]))
    waiting = examined(CONVEYOR_DATA=str(data))
    in_file("UPDATE orders SET flow = 'gift@2'")(data)
    unknown = examined(CONVEYOR_DATA=str(data))
    assert "1 orders are open" in waiting["workers", "owner"]["says"]
    assert "CONVEYOR_EXTENSIONS" in unknown["extensions", "gift@2"]["todo"]


def test_the_owner_of_a_directory_is_named(data: Path) -> None:
    with running(data) as (process, _):
        report = say("doctor", "--data", data, "--json").json()
    workers = [it["subject"] for it in report["checks"] if it["check"] == "workers"]
    assert workers[0].startswith(f"process {process.popen.pid} ")


def test_what_is_due_and_what_is_not_installed_on_a_server(database: str, tmp_path: Path) -> None:
    order = json.dumps(bodies(1)[0])
    directory = ("--data", tmp_path)  # other tests place orders at the same time
    assert say("place", "-", *directory, stdin=order, CONVEYOR_DATABASE_URL=database).code == 0
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE orders SET flow = 'gift@2'")
        connection.execute(
            "INSERT INTO outbox SELECT id, version, 'payments', 'payments.authorize', '', 0, 1, "
            "false FROM orders ON CONFLICT (order_id) DO UPDATE SET due_at = 0"
        )
    found = examined(CONVEYOR_DATABASE_URL=database)
    assert "nobody sends it" in found["workers", "outbox"]["says"]
    assert found["extensions", "gift@2"]["status"] == "failure"


def test_workers_that_are_connected_are_counted(database: str) -> None:
    alone = examined(CONVEYOR_DATABASE_URL=database)
    with psycopg.connect(database, application_name="conveyor"):
        together = examined(CONVEYOR_DATABASE_URL=database)
    assert alone.keys() - together.keys() == {("workers", "connections")}


@pytest.mark.parametrize(
    ("settings", "subject"),
    [
        ({"CONVEYOR_VISIBILTY_SECONDS": "60"}, "CONVEYOR_VISIBILTY_SECONDS"),
        ({"CONVEYOR_CALL_TIMEOUT_SECONDS": "60"}, "CONVEYOR_VISIBILITY_SECONDS"),
        ({"CONVEYOR_BACKOFF_BASE_SECONDS": "600"}, "CONVEYOR_BACKOFF_CAP_SECONDS"),
        ({"CONVEYOR_BACKOFF_CAP_SECONDS": "50000"}, "CONVEYOR_BACKOFF_CAP_SECONDS"),
        ({"CONVEYOR_CARRIER": "your_shop.post:carrier"}, "CONVEYOR_WEBHOOK_SECRET"),
        ({"CONVEYOR_MAX_RECEIVES": "none"}, "environment"),
    ],
    ids=lambda it: next(iter(it)) if isinstance(it, dict) else "",
)
def test_settings_that_do_not_go_together(
    data: Path, settings: dict[str, str], subject: str
) -> None:
    assert ("settings", subject) in examined(CONVEYOR_DATA=str(data), **settings)


def test_backends_that_do_not_go_together(provisioned: Environment, data: Path) -> None:
    url, queues = provisioned["CONVEYOR_DATABASE_URL"], provisioned["CONVEYOR_QUEUE_URL"]
    with_embedded_queue = examined(CONVEYOR_DATABASE_URL=url)
    with_file = examined(**provisioned | {"CONVEYOR_DATABASE_URL": "", "CONVEYOR_DATA": str(data)})
    plain = queues.replace("127.0.0.1", "sqs.invalid")
    without_tls = examined(**provisioned | {"CONVEYOR_QUEUE_URL": plain})
    assert ("settings", "CONVEYOR_QUEUE_URL") in with_embedded_queue
    assert ("settings", "payment provider, carrier") in with_embedded_queue
    assert ("settings", "CONVEYOR_DATABASE_URL") in with_file
    assert "without TLS" in without_tls["settings", "CONVEYOR_QUEUE_URL"]["says"]


def test_who_takes_the_money_is_looked_at(provisioned: Environment) -> None:
    missing = examined(**provisioned | {"CONVEYOR_PAYMENT_PROVIDER": ""})
    unknown = examined(**provisioned | {"CONVEYOR_CARRIER": "no.such:carrier"})
    named = examined(**provisioned | {"CONVEYOR_PAYMENT_PROVIDER": "examples.http_provider:bank"})
    told = missing["extensions", "CONVEYOR_PAYMENT_PROVIDER"]
    assert (told["status"], "say `simulated`" in told["says"]) == ("failure", True)
    assert "no.such" in unknown["extensions", "extensions"]["says"]
    assert ("settings", "carrier") in named
    assert not any("payment provider" in subject for _, subject in named)


def test_an_extension_that_does_not_load_hides_nothing_else(data: Path) -> None:
    found = examined(CONVEYOR_DATA=str(data), CONVEYOR_EXTENSIONS="no.such:THING")
    assert "no.such" in found["extensions", "extensions"]["says"]
    said = say("doctor", CONVEYOR_DATA=str(data), CONVEYOR_EXTENSIONS="no.such:THING")
    assert "up to date" in said.out
