"""`conveyor demo`, and the real orders that it runs on."""

import json
import signal
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from tests.cli.driver import Process, Said, on_a_screen, say, say_apart, until

from conveyor.commerce.orders.model import OrderBody
from conveyor.flows.shop.cdnow import CdnowLineError, packaged_purchases, read_purchases
from conveyor.flows.shop.demo import STOCK, card_of, sku_of
from conveyor.operations.demo import demonstration

ROOT = Path(__file__).parents[2]
FLOWS = {"shop": 1_000, "food": 60, "travel": 212, "renewal": 200}
EXAMPLE = ROOT / "examples" / "cdnow-first-1000.csv"


@pytest.mark.parametrize("name", ["cdnow-first-1000.csv", "flights-nyc-2013-01-01.csv"])
def test_the_package_carries_the_example(name: str) -> None:
    packaged = files("conveyor").joinpath("data", name).read_bytes()

    assert packaged == (ROOT / "examples" / name).read_bytes()


def test_the_purchases_are_read_to_the_cent() -> None:
    purchases = packaged_purchases()

    assert len(purchases) == 1_000
    assert sum(purchase.quantity for purchase in purchases) == 2_255
    assert sum(purchase.total for purchase in purchases) == 3_457_814


def test_the_converter_writes_orders_that_are_taken() -> None:
    script = ROOT / "examples" / "cdnow_to_jsonl.py"
    done = subprocess.run(
        [sys.executable, script, EXAMPLE], capture_output=True, check=True, text=True
    )
    lines = done.stdout.splitlines()

    first = json.loads(lines[0])
    assert [OrderBody.model_validate_json(line).reference for line in lines] == [
        f"cdnow-{number}" for number in range(1, 1_001)
    ]
    assert first["customer"] == {"id": "00001"}
    assert first["items"] == [{"sku": "CD", "quantity": 1}]
    assert (first["total"], first["currency"]) == (1_177, "USD")
    assert first["shipping"] == {"country": "US"}


def test_the_converter_without_a_file_says_how_it_is_used() -> None:
    script = ROOT / "examples" / "cdnow_to_jsonl.py"
    done = subprocess.run([sys.executable, script], capture_output=True, check=False, text=True)

    assert done.returncode == 1
    assert "python examples/cdnow_to_jsonl.py examples/cdnow" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (["name,price"], "line 1: the header"),
        (["customer_id,date,quantity,total", "00001,1997-01-01,1"], "line 2"),
        (["customer_id,date,quantity,total", "00001,1997-01-01,one,1.00"], "line 2"),
        (["customer_id,date,quantity,total", "00001,1997-01-01,1,1.5"], "line 2: total is '1.5'"),
    ],
    ids=["header", "short", "quantity", "total"],
)
def test_a_line_of_another_kind_of_file_is_named(lines: list[str], named: str) -> None:
    with pytest.raises(CdnowLineError, match=named):
        list(read_purchases(lines))


def test_its_help_has_what_each_flow_says_of_itself() -> None:
    _, _, flows = say("demo", "--help").out.partition("\nFlows:\n")

    for extension, demo in demonstration().demos:
        assert f"\n  {extension.name} " in f"\n{flows}"
        assert demo.shows in " ".join(flows.split())


def test_some_things_go_wrong_in_the_demonstration() -> None:
    purchases = packaged_purchases()
    cards = {card_of(purchase) for purchase in purchases}
    wanted = {
        sku: sum(p.quantity for p in purchases if sku_of(p) == sku and card_of(p) == "card_ok")
        for sku in STOCK
    }

    assert cards == {
        "card_ok",
        "card_declined",
        "card_insufficient_funds",
        "card_flaky",
        "card_unanswered",
        "card_down",
    }
    assert [sku for sku in STOCK if wanted[sku] > STOCK[sku]] == ["CD-IMPORT"]


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory: pytest.TempPathFactory) -> tuple[Said, Path]:
    """What a demonstration said that was looked at, and interrupted; and its directory."""
    data = tmp_path_factory.mktemp("demo") / "data"
    with Process("demo", "--json", "--data", data) as process:
        until((data / "server.json").exists)
        until(lambda: say("orders", "list", "--flow", "travel", "--data", data, "--json").json())
        return process.stop(signal.SIGINT), data


@pytest.fixture(scope="module")
def shown(broken_off: tuple[Said, Path]) -> tuple[Said, Path]:
    """What it said when it went on, and its directory."""
    _, data = broken_off
    return say_apart("demo", "--json", "--data", data), data


def test_interrupted_it_says_how_to_go_on(broken_off: tuple[Said, Path]) -> None:
    said, data = broken_off

    assert said.code == 130
    assert "Traceback" not in said.err
    assert said.err.rstrip().endswith(f"demo --data {data}")
    assert not (data / "server.json").exists()


def test_it_runs_all_four_flows_side_by_side(shown: tuple[Said, Path]) -> None:
    said, _ = shown
    result = said.json()

    assert said.code == 0, said.err
    assert result["audit"] is True
    assert {name: result[name]["placed"] for name in FLOWS} == FLOWS
    for name, placed in FLOWS.items():
        by_status = result[name]["by_status"]
        assert sum(by_status.values()) == placed
        assert by_status["completed"] > placed / 4
    assert result["shop"]["by_status"]["parked"] == 2
    assert "sold out: CD-IMPORT" in result["shop"]["refused_because"]
    assert "the restaurant did not answer in time" in result["food"]["refused_because"]
    assert any(reason.startswith("full: ") for reason in result["travel"]["refused_because"])
    assert result["renewal"]["by_status"]["awaiting"] > 0
    for name, step in (
        ("shop", "payments.authorize"),
        ("food", "riders.deliver"),
        ("travel", "bookings.hold"),
    ):
        assert any(line.startswith(f"{name}: ") and step in line for line in said.err.splitlines())


def test_it_adds_nothing_to_orders_of_others(tmp_path: Path) -> None:
    say("stock", "set", "CD", 1, "--data", tmp_path)

    said = say("demo", "--data", tmp_path)

    assert said.code == 2
    assert "not the demonstration's" in said.err


def test_its_directory_can_be_looked_into(shown: tuple[Said, Path]) -> None:
    said, data = shown
    parked = say("dead-letters", "list", "--data", data, "--json").json()["orders"]
    resumed = say("replay", data / "orders.jsonl", "--data", data, "--json").json()
    stories = said.json()["worth_a_look"]

    assert len(parked) == 2
    assert (resumed["placed"], resumed["already_placed"]) == (0, 1_272)
    assert sum(resumed["by_status"].values()) == 1_272
    assert len(stories) == 7
    for order_id in stories:
        assert say("explain", order_id, "--data", data).out.startswith(f"Order {order_id}")


def test_kept_it_goes_on_placing_orders_and_names_the_faults(shown: tuple[Said, Path]) -> None:
    _, data = shown
    before = newest(data)
    with Process("demo", "--keep", "--port", 0, "--data", data) as process:
        assert process.popen.stderr
        said = ""
        while "/console/faults" not in said:
            line = process.popen.stderr.readline()
            assert line, said
            said += line
        assert "/console/enter?once=" in said
        until(lambda: newest(data) != before)
        stopped = process.stop()

    assert stopped.code == 0, stopped.err
    assert "demo --keep" not in stopped.out


def newest(data: Path) -> str:
    """Give the id of the order that was placed last."""
    listed = say("orders", "list", "--limit", 1, "--data", data, "--json").json()
    return str(listed[0]["id"])


def test_on_a_small_screen_its_result_comes_last_and_whole(shown: tuple[Said, Path]) -> None:
    _, data = shown
    lines = on_a_screen("demo", "--data", str(data), rows=24, columns=80)
    end = lines[-24:]

    assert "every invariant holds" in lines[-3]
    assert lines[-2].endswith("/console/faults:")
    assert lines[-1].endswith(" demo --keep")
    assert sum("invariant" in line for line in lines) == 1
    assert {line.split()[0] for line in end if line.strip()} >= FLOWS.keys()
    assert not [line for line in lines if len(line) > 80 and "export" not in line]


def test_asked_for_more_it_shows_each_check_before_its_result(shown: tuple[Said, Path]) -> None:
    _, data = shown
    lines = on_a_screen("demo", "-v", "--data", str(data), rows=24, columns=80)
    checks = [at for at, line in enumerate(lines) if line.rstrip().endswith(" ok")]

    assert len(checks) >= 11
    assert checks[-1] < min(at for at, line in enumerate(lines) if " refused: " in line)
    assert "every invariant holds" in lines[-3]
    assert not [line for line in lines if len(line) > 80 and "export" not in line]
