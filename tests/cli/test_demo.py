"""`conveyor demo`, and the real orders that it runs on."""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from tests.cli.driver import say, say_apart

from conveyor.app.cdnow import CdnowLineError, packaged_purchases, read_purchases
from conveyor.app.demo import STOCK, card_of, sku_of
from conveyor.services.orders.model import OrderBody

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "cdnow-first-1000.csv"


def test_the_package_carries_the_example() -> None:
    packaged = files("conveyor").joinpath("data/cdnow-first-1000.csv").read_bytes()

    assert packaged == EXAMPLE.read_bytes()


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


def test_it_runs_to_its_end_and_its_directory_can_be_looked_into(tmp_path: Path) -> None:
    data = tmp_path / "demo"

    shown = say_apart("demo", "--data", data)
    again = say("demo", "--data", data)
    parked = say("dead-letters", "list", "--data", data, "--json").json()["orders"]
    resumed = say("replay", data / "orders.jsonl", "--data", data, "--json").json()

    assert shown.code == 0, shown.err
    assert "every invariant holds" in shown.out
    assert "payments.authorize" in shown.err
    assert "sold out: CD-IMPORT" in shown.out
    assert f"--data {data}" in shown.out
    assert again.code == 2
    assert len(parked) == 2
    assert (resumed["placed"], resumed["already_placed"]) == (0, 1_000)
    assert sum(resumed["by_status"].values()) == 1_000
