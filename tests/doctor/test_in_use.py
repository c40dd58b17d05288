"""Doctor looks at how a system is used: each thing as it should be, and then planted."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from tests.cli.driver import bodies, say
from tests.doctor.test_databases import examined, in_file

from conveyor.adapters.postgres.looking import look
from conveyor.core.transaction import Tx
from conveyor.operations.doctor.costs import ENOUGH_ORDERS, costs
from conveyor.operations.doctor.findings import Finding, Status
from conveyor.operations.doctor.indexes import indexes
from conveyor.settings import Settings
from conveyor.system.installation import installation

NOW = time.time_ns() // 1_000_000
DAY = 86_400_000
CALL = """INSERT INTO calls VALUES ('01BX5ZZKBKACTAV9WEVGEMMVRZ', 'payments.authorize', {number},
          'answered', 1000, {ended}, 0, {taken}, '', '')"""
KEY = """INSERT INTO api_keys VALUES ('k1', 'digest', 'default', 'place', '', 'shop', {created},
         NULL, {expires}, {used})"""
PAGE = "INSERT INTO archive_pages VALUES ('01B', 'orders-01B-01C-D.jsonl.gz', 7, 1)"
Plant = Callable[[Path], None]


def call(seconds: float, *, number: int = 1, taken: int = 1) -> str:
    return CALL.format(number=number, ended=1000 + round(seconds * 1000), taken=taken)


def key(*, created: int, used: int | None = None, expires: int | None = None) -> str:
    given = {"created": NOW - created * DAY, "used": used, "expires": expires}
    return KEY.format(**{name: "NULL" if it is None else it for name, it in given.items()})


@pytest.fixture
def data(home: Path, tmp_path: Path) -> Path:
    return shutil.copytree(home, tmp_path / "data")


# What it looks at, as it should be, and as it should not, with what is said of that.
PLANTED: list[tuple[tuple[str, str], str | None, str, str]] = [
    (("database", "index outbox_due"), None, "DROP INDEX outbox_due", "outbox is read whole"),
    (
        ("database", "index offers_one_standing"),
        None,
        "DROP INDEX offers_one_standing",
        "may be there twice",
    ),
    (("visibility", "payments"), call(14.9), call(15.5, number=2), "15.5 s or more"),
    (("visibility", "payments"), call(9_999, taken=2), call(31, number=2), "31 s or more"),
    (("keys", "unused"), key(created=89), "UPDATE api_keys SET created_at = 1", "k1 (shop)"),
    (
        ("keys", "old"),
        key(created=364, used=NOW),
        "UPDATE api_keys SET created_at = created_at - 2 * 86400000",
        "made over 365 days ago",
    ),
    (
        ("keys", "ending"),
        key(created=1, expires=NOW + 15 * DAY),
        "UPDATE api_keys SET expires_at = expires_at - 2 * 86400000",
        "within 14 days",
    ),
    (("archive", "CONVEYOR_ARCHIVE"), None, PAGE, "7 orders are archived"),
]


@pytest.mark.parametrize(
    ("named", "well", "plant", "says"),
    PLANTED,
    ids=[f"{check}-{number}" for number, ((check, _), *_) in enumerate(PLANTED)],
)
def test_each_thing_is_named_once_it_is_wrong(
    data: Path, named: tuple[str, str], well: str | None, plant: str, says: str
) -> None:
    if well:
        in_file(well)(data)
    assert examined(CONVEYOR_DATA=str(data)) == {}
    in_file(plant)(data)
    found = examined(CONVEYOR_DATA=str(data))
    assert found.keys() == {named}
    assert says in found[named]["says"]


def test_orders_that_are_late_name_their_queue(data: Path) -> None:
    say("place", "-", "--data", data, stdin=json.dumps(bodies(1)[0]))
    assert ("lag", "payments") not in examined(CONVEYOR_DATA=str(data))
    in_file("UPDATE orders SET expected_at = placed_at - 600000")(data)
    found = examined(CONVEYOR_DATA=str(data))["lag", "payments"]
    assert "orders that should have moved: 1, the first 1" in found["says"]
    assert "conveyor work payments" in found["todo"]


def test_a_file_of_the_archive_that_is_gone_is_named(data: Path, tmp_path: Path) -> None:
    in_file(PAGE)(data)
    archive = tmp_path / "archive"
    archive.mkdir()
    reach = {"CONVEYOR_DATA": str(data), "CONVEYOR_ARCHIVE": str(archive)}
    found = examined(**reach)["archive", str(archive)]
    assert (found["status"], "1 files of 7 orders" in found["says"]) == ("failure", True)
    (archive / "orders-01B-01C-D.jsonl.gz").touch()
    assert examined(**reach) == {}


def looked(database: str, check: Callable[[Tx], Iterator[Finding]]) -> list[Finding]:
    return look(database, lambda tx: [*check(tx)])


def test_an_index_that_was_not_made_to_its_end_is_named(database: str) -> None:
    def check(tx: Tx) -> Iterator[Finding]:
        return indexes(tx, installation(Settings()))

    assert [it.status for it in looked(database, check)] == [Status.OK]
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE INDEX of_mine ON orders (total)")
        connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN "
            "('outbox_due'::regclass, 'of_mine'::regclass)"
        )
        connection.execute("DROP INDEX timeline_by_order")
    found = {it.subject: it for it in looked(database, check)}
    assert found.keys() == {"index outbox_due", "index of_mine", "index timeline_by_order"}
    assert found["index outbox_due"].todo == "run REINDEX INDEX outbox_due"
    assert found["index timeline_by_order"].todo.startswith("CREATE INDEX timeline_by_order")


def test_what_it_costs_is_told_and_polls_for_nothing_are_named(
    database: str, tmp_path: Path
) -> None:
    settings = Settings(database_url=database, queue_url="sqs://eu-west-1/well-")

    def check(tx: Tx) -> Iterator[Finding]:
        return costs(tx, installation(settings), settings, NOW)

    (idle,) = looked(database, check)
    assert (idle.subject, "idle, a month: functions $" in idle.says) == ("shop", True)
    order = json.dumps(bodies(1)[0])
    directory = ("--data", tmp_path)  # other tests place orders at the same time
    assert say("place", "-", *directory, stdin=order, CONVEYOR_DATABASE_URL=database).code == 0
    estimated, requests = looked(database, check)
    assert "an order, at the last day's 1: functions $" in estimated.says
    assert (requests.status, requests.says) == (Status.OK, "0.0 to SQS an order, so far")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DELETE FROM placed_counts")
        connection.execute("INSERT INTO placed_counts VALUES (1, %s)", (ENOUGH_ORDERS,))
        connection.execute("INSERT INTO request_counts VALUES ('p', 123000)")
    _, requests = looked(database, check)
    assert (requests.status, requests.says[:12]) == (Status.WARNING, "123 requests")
