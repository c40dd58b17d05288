"""Orders are found, exported, cancelled and redriven by the dozen, and named by their reference."""

from __future__ import annotations

import csv
import io
import json
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.driver import Process, Said, bodies, say, until, write_lines
from tests.servers.migrated import migrated_database
from tests.servers.postgres import Postgres

from conveyor.commerce.orders.order_filter import NAMES
from conveyor.entrypoints.cli.export import COLUMNS
from conveyor.entrypoints.cli.order_filters import OPTIONS
from conveyor.entrypoints.http.order_query import asked_for
from conveyor.entrypoints.http.schemas import OrderView

Tell = Callable[..., Said]
DOWN, DECLINED = ({"payment": {"method": f"card_{it}"}} for it in ("down", "declined"))


DATABASES = ["sqlite", "postgresql"]


def on(request: pytest.FixtureRequest, home: Path) -> Tell:
    """Give what runs commands on an empty database."""
    more = {"CONVEYOR_MAX_RECEIVES": "1"}
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        more["CONVEYOR_DATABASE_URL"] = migrated_database(server)

    def run(*arguments: object, stdin: str = "") -> Said:
        return say(*arguments, "--data", home / "data", stdin=stdin, **more)

    return run


def place(tell: Tell, home: Path) -> None:
    """Place one that is done, one that is refused, and two of one reference that are parked."""
    one, two, three, four = bodies(4)
    for body, reference in ((one, "A/1"), (two, "twice"), (three, "twice")):
        body["reference"] = reference
    lines = [one, two | DOWN, three | DOWN, four | DECLINED]
    tell("stock", "set", "CD", 1_000)
    assert tell("replay", write_lines(home / "orders.jsonl", lines)).code == 0
    statuses = [it["status"] for it in tell("orders", "list", "--json").json()]
    assert sorted(statuses) == ["completed", "parked", "parked", "refused"]


@pytest.fixture(scope="module", params=DATABASES)
def placed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tell:
    """Runs commands on what nobody changes."""
    home = tmp_path_factory.mktemp("placed")
    tell = on(request, home)
    place(tell, home)
    return tell


@pytest.fixture(params=DATABASES)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Tell:
    """Runs commands on the same orders, which may be changed."""
    tell = on(request, tmp_path)
    place(tell, tmp_path)
    return tell


def ids(tell: Tell, *options: object) -> list[str]:
    return [order["id"] for order in tell("orders", "list", "--json", *options).json()]


def test_the_names_are_the_same_everywhere() -> None:
    in_the_api = {"id" if name == "order_id" else name for name in asked_for.__annotations__}
    assert in_the_api - {"return"} == set(NAMES)
    assert {*OPTIONS, "merchant"} == set(NAMES)


def test_orders_are_listed_by_what_is_known_of_them(placed: Tell) -> None:
    by_reference = ids(placed, "--reference", "A/1")
    assert len(by_reference) == 1
    assert ids(placed, "--id", by_reference[0]) == by_reference
    assert len(ids(placed, "--status", "parked", "--step", "payments.authorize")) == 2
    assert len(ids(placed, "--sku", "CD")) == 4
    assert ids(placed, "--sku", "LP") == ids(placed, "--email", "nobody@example.com") == []
    assert len(ids(placed, "--settled-after", "2020-01-01T00:00:00Z")) == 2
    assert ids(placed, "--merchant", "another") == []


def test_a_flow_that_there_is_not_is_said_with_those_that_there_are(placed: Tell) -> None:
    said = placed("orders", "list", "--flow", "shops")
    assert said.code == 1
    assert "there is no flow 'shops'; there are food, renewal, shop, travel" in said.err


def test_all_orders_are_written_as_csv_and_as_lines(placed: Tell) -> None:
    listed = placed("orders", "list", "--json").json()
    table = list(csv.reader(io.StringIO(placed("orders", "list", "--csv").out)))
    lines = [json.loads(line) for line in placed("orders", "list", "--jsonl").out.splitlines()]
    assert lines == listed
    assert tuple(table[0]) == COLUMNS == tuple(OrderView.model_fields)
    assert [row[0] for row in table[1:]] == [order["id"] for order in listed]
    assert len(placed("orders", "list", "--csv", "--limit", 2).out.splitlines()) == 3
    assert placed("orders", "list", "--csv", "--jsonl").code == 2


def test_an_export_goes_on_from_page_to_page(placed: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conveyor.entrypoints.cli.export.EXPORT_PAGE", 2)
    lines = placed("orders", "list", "--jsonl").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ids(placed)


def test_an_order_is_named_by_its_reference(placed: Tell) -> None:
    (order,) = ids(placed, "--reference", "A/1")
    assert placed("orders", "show", "A/1", "--json").json()["id"] == order
    assert f"Order {order} (A/1)" in placed("explain", "A/1").out
    assert placed("orders", "cancel", "A/1").code == 1  # it is completed
    assert "too late" in placed("orders", "cancel", "A/1").err
    assert placed("orders", "watch", "A/1").code == 0


@pytest.mark.parametrize(
    "command",
    [
        *(("orders", "show"), ("orders", "cancel"), ("orders", "redrive"), ("explain",)),
        *(("dead-letters", "show"), ("dead-letters", "redrive")),
    ],
    ids=" ".join,
)
def test_a_reference_of_several_orders_is_none(placed: Tell, command: tuple[str, ...]) -> None:
    said = placed(*command, "twice")
    assert said.code == 2
    for order in ids(placed, "--reference", "twice"):
        assert f"{order}  shop  parked  placed 20" in said.err
    assert len(ids(placed, "--status", "parked")) == 2


def test_a_name_that_is_nobody_s_is_said_so(placed: Tell) -> None:
    for command in (("orders", "show"), ("orders", "cancel"), ("explain",)):
        said = placed(*command, "NOPE")
        assert (said.code, said.err) == (1, "Error: No order has the id or the reference 'NOPE'.\n")
    said = placed("dead-letters", "redrive", "NOPE")
    assert said.code == 1
    assert "'NOPE' is neither an order's id or reference, nor the id of a message" in said.err


def test_many_are_cancelled_once_that_was_said(own: Tell) -> None:
    where = ("orders", "cancel", "--where", "flow=shop", "--rate", 1_000)
    dry = own(*where, "--json").json()
    assert {it["would"]: it["orders"] for it in dry["groups"]} == {"accepted": 2, "too_late": 2}
    assert (dry["matched"], dry["done"], dry["left"]) == (4, 0, 2)
    assert "Nothing was done: --yes does it to 2 orders." in own(*where).out
    assert len(ids(own, "--status", "parked")) == 2

    assert own(*where, "--yes", "--reason", "closed", "--json").json()["done"] == 2
    assert len(ids(own, "--reason", "closed", "--status", "cancelled")) == 2
    again = own(*where, "--yes", "--json").json()
    assert {it["would"] for it in again["groups"]} == {"already", "too_late"}
    assert again["done"] == 0


def test_many_that_are_parked_are_redriven(own: Tell) -> None:
    where = ("orders", "redrive", "--where", "reference=twice", "--rate", 1_000)
    assert "takes payments.authorize again" in own(*where).out
    assert "2 of 2 orders redriven." in own(*where, "--yes").out
    assert "No order matches." in own(*where).out


def test_one_that_is_parked_is_redriven(own: Tell) -> None:
    order, *_ = ids(own, "--reference", "twice")
    assert f"Order {order} is redriven." in own("orders", "redrive", order).out
    assert own("orders", "redrive", order).code == 1


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        ("AN-ORDER", "--where", "flow=shop"),
        ("--where", "flow"),
        ("--where", "flows=shop"),
        ("--where", "flow=shop", "--where", "flow=food"),
        ("--where", "status=lost"),
    ],
    ids=" ".join,
)
def test_what_is_meant_must_be_said(tmp_path: Path, wrong: tuple[str, ...]) -> None:
    assert say("orders", "cancel", *wrong, "--data", tmp_path).code == 2


def test_ctrl_c_stops_many_and_the_same_command_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for body in bodies(6):
        say("place", "-", "--data", data, stdin=json.dumps(body))

    def cancelled() -> int:
        with closing(sqlite3.connect(data / "conveyor.db")) as db:
            return len(db.execute("SELECT id FROM orders WHERE status = 'cancelled'").fetchall())

    where = ("orders", "cancel", "--where", "flow=shop", "--yes", "--json", "--data", data)
    with Process(*where, "--rate", "1") as process:
        until(cancelled)
        said = process.stop(signal.SIGINT)
    done = json.loads(said.out)["done"]
    assert said.code == 130
    assert 0 < done < 6
    assert "Stopped. The same command goes on with the rest." in said.err
    assert cancelled() == done
    assert say(*where, "--rate", "1000").json()["done"] == 6 - done
    assert cancelled() == 6


def test_a_command_that_is_advised_is_for_the_same_directory(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "orders.jsonl", bodies(1))
    said = say("replay", file, "--data", tmp_path / "data")
    assert f"stock set CD QUANTITY --data {tmp_path}/data\n" in said.err


def test_stock_below_zero_is_said_to_be_that(tmp_path: Path) -> None:
    said = say("stock", "set", "CD", "-5", "--data", tmp_path)
    assert said.code == 2
    assert "-5 is not in the range" in said.err
