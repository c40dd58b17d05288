"""The story of old orders is detached by month, from a PostgreSQL on which they were settled."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.audit.base import SHOP
from tests.cli.driver import running, say, until_is
from tests.servers.migrated import migrated_database
from tests.servers.moved import move
from tests.servers.postgres import Postgres, client_programs

from conveyor.adapters.postgres.creation import beside
from conveyor.commerce.orders.placement import Placed
from conveyor.flows.shop.inventory.store import set_stock
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

SETTLED = ("shop", "keyless", "rejected", "declined")
MONTH, NEXT = "2026-01", "2026-02"  # that of START_MS, and the one after it


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each has a directory for its embedded queue, which one process owns at a time."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The files of a system in which some orders were settled, and the ids of these by name."""
    directory = tmp_path_factory.mktemp("lived")
    ids: dict[str, str] = {}

    async def live(app: App) -> None:
        await app.parts.database.run(lambda tx: set_stock(tx, "default", "CD", 1_000))
        for name in SETTLED:
            key, body = SHOP[name]
            placed = await app.placement.place("default", key, app.installed.bodies.read(body))
            assert isinstance(placed, Placed)
            ids[name] = placed.order_id
        await asyncio.sleep(600)

    Machine(directory, {"delivery_delay_seconds": 0}).run(live)
    return directory, ids


@pytest.fixture
def ids(lived: tuple[Path, dict[str, str]]) -> dict[str, str]:
    return lived[1]


@pytest.fixture
def url(postgres: Postgres, lived: tuple[Path, dict[str, str]]) -> str:
    """The same on PostgreSQL, where no month of theirs is there yet."""
    url = migrated_database(postgres)
    assert conveyor(url, "audit").code == 0  # which makes the books of who is simulated
    move(lived[0] / "conveyor.db", url)
    for books in ("provider.db", "carrier.db"):
        move(lived[0] / books, beside(url, "_simulated"))
    return url


def conveyor(url: str, *arguments: object) -> Any:
    return say(*arguments, CONVEYOR_DATABASE_URL=url)


def detached(url: str) -> list[str]:
    query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^detached_.*[0-9]$'"
    with psycopg.connect(url) as connection:
        return sorted(name for (name,) in connection.execute(query))


def change(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())


def made(url: str) -> str:
    assert conveyor(url, "months", "make").code == 0
    return url


def test_a_month_is_made_of_what_the_default_partition_holds(url: str) -> None:
    before = conveyor(url, "audit", "--json").json()
    assert "timeline_default holds" in conveyor(url, "doctor").out

    said = conveyor(url, "months", "make", "--json").json()

    assert said == {"made": ["timeline_2026_01", "calls_2026_01"]}
    assert "timeline_default" not in conveyor(url, "doctor").out
    listed = {it["name"]: it for it in conveyor(url, "months", "list", "--json").json()}
    assert listed[MONTH]["tables"]["timeline_2026_01"]["rows"] > 0
    after = conveyor(url, "audit", "--json").json()
    assert after | {"at": 0} == before | {"at": 0}
    assert conveyor(url, "months", "make").out == "No month is missing.\n"


def test_without_yes_it_is_only_said(url: str) -> None:
    said = conveyor(made(url), "months", "detach", "--before", NEXT)
    assert said.code == 0
    assert MONTH in said.out
    assert "Nothing was done" in said.out
    assert detached(url) == []


def test_a_month_with_an_order_that_is_not_settled_stays(url: str, ids: dict[str, str]) -> None:
    change(made(url), f"UPDATE orders SET settled_at = NULL WHERE id = '{ids['shop']}'")  # noqa: S608
    said = conveyor(url, "months", "detach", "--before", NEXT, "--yes")
    assert said.code == 1
    assert ids["shop"] in said.err
    assert detached(url) == []


def test_a_month_in_which_orders_are_still_placed_stays(url: str) -> None:
    said = conveyor(url, "months", "detach", "--before", "2200-01", "--yes")
    assert said.code == 2
    assert "still placed" in said.err
    assert conveyor(url, "months", "detach", "--before", "January").code == 2


def test_what_was_detached_is_no_violation_and_explained(url: str, ids: dict[str, str]) -> None:
    before = conveyor(made(url), "audit", "--json").json()

    said = conveyor(url, "months", "detach", "--before", NEXT, "--yes")

    assert said.code == 0, said.err
    assert detached(url) == ["detached_calls_2026_01", "detached_timeline_2026_01"]
    audit = conveyor(url, "audit", "--json").json()
    assert audit["clean"], audit
    assert audit["orders"] == before["orders"] == len(SETTLED)
    story = conveyor(url, "explain", ids["shop"])
    assert story.code == 0
    assert "detached on" in story.out
    assert "was completed" in story.out
    assert "was not taken" not in story.out
    assert conveyor(url, "explain", ids["shop"], "--json").json()["detached_at"]
    assert (
        conveyor(url, "months", "detach", "--before", NEXT).out == "There is nothing to detach.\n"
    )


def test_what_nobody_detached_is_still_missed(url: str, ids: dict[str, str]) -> None:
    change(made(url), f"DELETE FROM timeline WHERE order_id = '{ids['shop']}'")  # noqa: S608
    said = conveyor(url, "audit", "--json")
    assert said.code == 1
    assert ids["shop"] in said.out


def test_an_order_of_a_detached_month_that_is_open_again_is_named(
    url: str, ids: dict[str, str]
) -> None:
    assert conveyor(made(url), "months", "detach", "--before", NEXT, "--yes").code == 0
    change(url, f"UPDATE orders SET settled_at = NULL WHERE id = '{ids['shop']}'")  # noqa: S608
    checks = {it["name"]: it for it in _report(url)["checks"]}
    assert checks["detached_have_ended"]["examples"] == [ids["shop"]]


def _report(url: str) -> dict[str, Any]:
    said = conveyor(url, "audit", "--json")
    assert said.code == 1
    report: dict[str, Any] = json.loads(said.out)
    return report


def test_what_comes_late_for_a_detached_month_is_kept_and_told(
    url: str, ids: dict[str, str]
) -> None:
    assert conveyor(made(url), "months", "detach", "--before", NEXT, "--yes").code == 0
    late = "9, 1770000000000, 'duplicate_dropped', 'payments.capture', 0, ''"
    columns = "order_id, version, at, event, step, attempt, detail"
    change(url, f"INSERT INTO timeline ({columns}) VALUES ('{ids['shop']}', {late})")  # noqa: S608
    assert conveyor(url, "audit", "--json").json()["clean"]
    story = conveyor(url, "explain", ids["shop"]).out
    assert "What happened to it after that" in story
    assert "was dropped" in story
    assert "timeline_default" not in conveyor(url, "doctor").out
    assert conveyor(url, "months", "make").out == "No month is missing.\n"


def test_the_commands_that_it_names_dump_and_drop_the_tables(url: str, tmp_path: Path) -> None:
    said = conveyor(made(url), "months", "detach", "--before", NEXT, "--yes")
    named = [line.strip() for line in said.out.splitlines()]
    commands = [it for it in named if it.startswith(("pg_dump", "psql"))]
    assert len(commands) == 3
    with client_programs() as programs:
        environment = {"DATABASE_URL": url, "PATH": f"{programs}:/usr/bin:/bin"}
        for command in commands:
            done = subprocess.run(
                ("/bin/sh", "-c", command),
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
    assert detached(url) == []
    assert (tmp_path / "detached_timeline_2026_01.dump").stat().st_size > 0
    listed = conveyor(url, "months", "list")
    assert "detached, and dropped" in listed.out


def test_a_process_that_runs_makes_what_is_missing(postgres: Postgres, tmp_path: Path) -> None:
    url = migrated_database(postgres)
    there = conveyor(url, "months", "list", "--json").json()
    tables = [table for it in there if it["name"] != "others" for table in it["tables"]]
    change(url, "; ".join(f"DROP TABLE {table}" for table in tables))
    assert conveyor(url, "months", "list", "--json").json() != there
    with running(tmp_path, CONVEYOR_DATABASE_URL=url):
        until_is(there, lambda: conveyor(url, "months", "list", "--json").json())


def test_an_embedded_system_has_no_months(tmp_path: Path) -> None:
    said = say("months", "list", "--data", tmp_path)
    assert said.code == 2
    assert "PostgreSQL" in said.err
