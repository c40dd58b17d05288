"""`conveyor replay`: every order of a file, once, whatever happens."""

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.driver import Process, bodies, piped, running, say, until, write_lines

# The names that others read; see the issue of the command line.
PINNED = {
    "placed",
    "already_placed",
    "by_status",
    "captured",
    "refunded",
    "seconds",
    "orders_per_second",
    "latency_ms",
}
COUNT = 40
MANY = 600


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    say("stock", "set", "CD", 100_000, "--data", directory)
    return directory


def test_every_order_is_placed_and_settled(data: Path, tmp_path: Path) -> None:
    orders = bodies(COUNT)
    orders[3]["payment"] = {"method": "card_declined"}
    orders[4]["items"] = [{"sku": "LP", "quantity": 1}]
    file = write_lines(tmp_path / "orders.jsonl", orders)

    result = say("replay", file, "--data", data, "--json").json()

    paid = sum(order["total"] for number, order in enumerate(orders) if number not in {3, 4})
    assert set(result) >= PINNED
    assert "sqs_requests_per_order" not in result
    assert (result["placed"], result["already_placed"], result["rejected"]) == (COUNT, 0, 0)
    assert result["by_status"] == {"completed": COUNT - 2, "refused": 2}
    assert result["captured"] == {"USD": paid}
    assert result["refunded"] == {"USD": 0}
    assert 0 < result["latency_ms"]["p50"] <= result["latency_ms"]["p99"]
    assert result["orders_per_second"] > 0
    assert say("audit", "--data", data).code == 0
    named = ["orders", "list", "--data", data, "--json", "--reference", orders[5]["reference"]]
    [found] = say(*named, "--customer", orders[5]["customer"]["id"]).json()
    assert found["total"] == orders[5]["total"]
    assert say(*named, "--placed-after", "2100-01-01T00:00:00Z").json() == []
    assert "placed_after" in say(*named, "--placed-after", "tomorrow").err


def test_again_nothing_is_placed_twice(data: Path, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "orders.jsonl", bodies(COUNT))
    first = say("replay", file, "--data", data, "--json").json()

    again = say("replay", file, "--data", data, "--concurrency", 1, "--json").json()

    assert (again["placed"], again["already_placed"]) == (0, COUNT)
    assert again["captured"] == first["captured"]
    assert again["by_status"] == first["by_status"]


def test_another_file_is_other_orders_however_alike(data: Path, tmp_path: Path) -> None:
    say("replay", write_lines(tmp_path / "a.jsonl", bodies(2)), "--data", data)

    other = write_lines(tmp_path / "b.jsonl", bodies(3))
    result = say("replay", other, "--data", data, "--json").json()

    assert result["placed"] == 3
    assert result["by_status"] == {"completed": 3}


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_what_can_be_read_only_once_is_placed(data: Path, tmp_path: Path, name: str) -> None:
    file = write_lines(tmp_path / "orders.jsonl", bodies(3))

    first = piped(file.read_bytes(), "replay", name, "--data", data, "--json")
    from_file = say("replay", file, "--data", data, "--json").json()

    assert first.json()["by_status"] == {"completed": 3}
    assert (from_file["placed"], from_file["already_placed"]) == (0, 3)


def test_a_device_without_lines_is_told_from_a_file_of_orders(data: Path) -> None:
    said = say("replay", "/dev/zero", "--data", data)

    assert said.code == 1
    assert "line 1 is longer than" in said.err


def test_that_there_is_no_order_is_said(data: Path) -> None:
    said = say("replay", "/dev/null", "--data", data)

    assert "There is no order in /dev/null." in said.err


def test_a_parked_order_counts_as_settled(data: Path, tmp_path: Path) -> None:
    down = bodies(2, payment={"method": "card_down"})
    file = write_lines(tmp_path / "orders.jsonl", down)

    said = say("replay", file, "--data", data, "--json", CONVEYOR_MAX_RECEIVES="1")

    assert said.json()["by_status"] == {"parked": 2}
    waiting = say("dead-letters", "list", "--data", data, "--json").json()["orders"]
    assert [order["step"] for order in waiting] == ["payments.authorize"] * 2
    shown = say("dead-letters", "show", waiting[0]["id"], "--data", data).out
    assert "NotAppliedError" in shown
    reason = ("--reason", "closed")
    assert say("dead-letters", "discard", waiting[0]["id"], *reason, "--data", data).code == 0
    assert say("dead-letters", "redrive", waiting[1]["id"], "--data", data).code == 0
    assert say("audit", "--data", data).code == 0


def test_bad_lines_are_named_and_the_others_are_placed(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    [order] = bodies(1)
    bad = [order | {"total": "ten"}, order | {"currency": "QQQ"}, order | {"shipping": {}}]
    lines = [json.dumps(one) for one in [order, *bad, order]]
    file.write_text("\n".join([lines[0], "", lines[1], "not JSON", *lines[2:]]))

    said = say("replay", file, "--data", data, "--json")

    assert said.code == 1
    assert (json.loads(said.out)["placed"], json.loads(said.out)["rejected"]) == (2, 4)
    assert "line 3: total: " in said.err
    assert "line 4: " in said.err
    assert "line 5: currency: " in said.err
    assert "line 6: shipping.country: " in said.err


def test_what_there_is_no_stock_of_is_named(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "orders.jsonl", bodies(2))

    said = say("replay", file, "--data", tmp_path / "empty")

    assert said.code == 0
    assert "stock set CD QUANTITY" in said.err


def test_killed_in_the_middle_it_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "orders.jsonl", bodies(MANY))
    with Process("replay", file, "--data", data, "--concurrency", 50) as process:
        until(lambda: _settled(data) > MANY // 10)
        process.stop(signal.SIGKILL)
    before = _placed(data)

    result = say("replay", file, "--data", data, "--json").json()

    assert 0 < before < MANY
    assert result["placed"] == MANY - before
    assert result["already_placed"] == before
    assert result["by_status"] == {"completed": MANY}
    assert result["captured"] == {"USD": sum(order["total"] for order in bodies(MANY))}
    assert say("audit", "--data", data).code == 0


def test_interrupted_it_stops_cleanly_and_says_how_to_go_on(data: Path, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "orders.jsonl", bodies(MANY))
    slow = {"CONVEYOR_PAYMENT_LATENCY_SECONDS": "0.5"}
    with Process("replay", file, "--data", data, "--concurrency", 50, **slow) as process:
        until(lambda: _settled(data) > 0)
        meanwhile = say("orders", "list", "--data", data, "--json")
        said = process.stop(signal.SIGINT)

    assert meanwhile.json()
    assert said.code == 130
    assert "give the same command again" in said.err
    assert "Traceback" not in said.err
    assert say("audit", "--data", data).code == 0


def test_a_second_interrupt_stops_at_once(data: Path, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "orders.jsonl", bodies(1))
    slow = {"CONVEYOR_PAYMENT_LATENCY_SECONDS": "30"}
    with Process("replay", file, "--data", data, **slow) as process:
        until(lambda: (data / "conveyor.db").exists() and _calls(data) > 0)
        process.popen.send_signal(signal.SIGINT)
        until(lambda: not (data / "server.json").exists())
        said = process.stop(signal.SIGINT)

    assert said.code == 130
    assert "nothing is lost" in said.err
    assert "Traceback" not in said.err


def test_a_running_server_takes_the_orders(data: Path, tmp_path: Path) -> None:
    orders = bodies(COUNT)
    lines = [json.dumps(order) for order in orders] + ["not JSON"]
    file = tmp_path / "orders.jsonl"
    file.write_text("\n".join(lines))
    with running(data):
        first = say("replay", file, "--data", data, "--json")
        again = say("replay", file, "--data", data, "--json")

    assert first.code == again.code == 1
    result, repeated = json.loads(first.out), json.loads(again.out)
    assert set(result) >= PINNED
    assert (result["placed"], result["rejected"]) == (COUNT, 1)
    assert f"line {COUNT + 1}: " in first.err
    assert result["by_status"] == {"completed": COUNT}
    assert result["captured"] == {"USD": sum(order["total"] for order in orders)}
    assert (repeated["placed"], repeated["already_placed"]) == (0, COUNT)


def _placed(data: Path) -> int:
    return _count(data, "SELECT count(*) FROM orders")


def _settled(data: Path) -> int:
    return _count(data, "SELECT count(*) FROM orders WHERE settled_at IS NOT NULL")


def _calls(data: Path) -> int:
    try:
        return _count(data, "SELECT count(*) FROM calls")
    except sqlite3.OperationalError:  # there is no table yet
        return 0


def _count(data: Path, query: str) -> int:
    with closing(sqlite3.connect(f"file:{data}/conveyor.db?mode=ro", uri=True)) as connection:
        count: int = connection.execute(query).fetchone()[0]
        return count
