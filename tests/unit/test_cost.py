"""What `conveyor cost` says is what its figures and prices come to."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from tests.cli.driver import say

from conveyor.operations.cost import estimate
from conveyor.operations.cost.items import Bill
from conveyor.operations.cost.measured import measured
from conveyor.operations.cost.prices import price_list
from conveyor.settings import Settings
from conveyor.system.installation import installation

FLOWS = ("shop", "food", "travel", "renewal")
MILLION = 1_000_000
Amount = Annotated[float, Field(ge=0)]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Item(Strict):
    what: str
    quantity: Amount
    unit: str
    free: Amount
    price: Amount
    per: Amount
    cost: Amount


class Line(Strict):
    name: Literal["queues", "compute", "orchestration", "tick", "database", "data transfer"]
    cost: Amount
    items: list[Item]


class Way(Strict):
    name: Literal["functions", "workers", "naive", "step_functions"]
    total: Amount
    per_order: Amount | None
    lines: Annotated[list[Line], Field(min_length=6, max_length=6)]


class Report(Strict):
    """What `--json` prints: whoever reads it by a program relies on this."""

    flow: Literal["shop", "food", "travel", "renewal"]
    orders_per_day: Annotated[int, Field(ge=0)]
    orders_per_month: Amount
    currency: Literal["USD"]
    region: Literal["us-east-1"]
    prices_as_of: Day
    measured_at: Day
    per_order: dict[str, Amount]
    ways: Annotated[list[Way], Field(min_length=4, max_length=4)]
    assumptions: Annotated[list[str], Field(min_length=5)]
    prices: list[dict[str, str | float]]


def told(orders: int, flow: str = "shop") -> Any:
    return say("cost", "--orders-per-day", orders, "--flow", flow, "--json").json()


def lines(report: Any, way: str) -> dict[str, Any]:
    found = next(it for it in report["ways"] if it["name"] == way)
    return {line["name"]: line for line in found["lines"]}


@pytest.mark.parametrize(
    ("requests", "cost"),
    [
        (0, 0),
        (999_999, 0),
        (MILLION, 0),
        (MILLION + 1, 0.0),
        (2 * MILLION, 0.40),
        (101 * MILLION, 40.0),
    ],
)
def test_the_first_million_requests_are_free(requests: int, cost: float) -> None:
    assert Bill(price_list()).item("r", requests, "requests", "sqs_standard").cost == cost


def test_what_is_free_is_free_once_for_both_kinds_of_queues() -> None:
    bill = Bill(price_list())
    standard = bill.item("r", 600_000, "requests", "sqs_standard")
    fifo = bill.item("r", 600_000, "requests", "sqs_fifo")
    assert (standard.free, fifo.free) == (600_000, 400_000)
    assert (standard.cost, fifo.cost) == (0, 0.10)


@pytest.mark.parametrize(
    ("name", "quantity", "cost"),
    [
        ("sqs_fifo", 3 * MILLION, 1.0),
        ("lambda_requests", 6 * MILLION, 1.0),
        ("lambda_gb_seconds", 400_000, 0),
        ("lambda_gb_seconds", 1_000_000, 10.0),
        ("step_functions_standard", 4_000, 0),
        ("step_functions_standard", 1_004_000, 25.0),
        ("aurora_acu_hours", 365, 43.8),
        ("transfer_out_gb", 100, 0),
        ("transfer_out_gb", 200, 9.0),
        ("endpoint_hours", 730, 7.3),
    ],
)
def test_prices_at_known_points(name: str, quantity: float, cost: float) -> None:
    assert Bill(price_list()).item("x", quantity, "x", name).cost == pytest.approx(cost, abs=1e-4)


def test_every_price_has_a_source_and_says_how_it_was_seen() -> None:
    for price in price_list().prices.values():
        assert price.source.startswith("https://aws.amazon.com/")
        assert price.seen == "page" or (price.seen in {"aws", "others"} and price.where)


def test_a_month_of_the_shop_by_hand() -> None:
    orders = 100_000 * 730 / 24
    report = told(100_000)
    each = report["per_order"]
    step_functions, naive = lines(report, "step_functions"), lines(report, "naive")

    transitions = orders * 5
    assert step_functions["orchestration"]["cost"] == pytest.approx(
        (transitions - 4_000) * 25 / MILLION, abs=0.01
    )
    # 1.16 orders a second; two steps of payments, one of each other service; a consumer takes one
    # message in two seconds: five consumers, and three times three.
    receives = 14 * 730 * 360
    assert naive["queues"]["cost"] == pytest.approx(
        (2 * transitions + receives - MILLION) * 0.4 / MILLION, abs=0.01
    )
    polls = 9 * 5 * 3 * 43_800  # nine queues, one of them FIFO; the free million comes off first
    for_orders = orders * each["requests"] - MILLION
    assert lines(report, "functions")["queues"]["cost"] == pytest.approx(
        for_orders * 0.4 / MILLION + polls * (8 / 9 * 0.4 + 1 / 9 * 0.5) / MILLION, abs=0.02
    )


@pytest.mark.parametrize("flow", FLOWS)
def test_sums_are_sums_and_arithmetic_is_shown(flow: str) -> None:
    report = told(10_000, flow)
    Report.model_validate_json(json.dumps(report))
    for way in report["ways"]:
        assert way["total"] == pytest.approx(sum(line["cost"] for line in way["lines"]), abs=1e-3)
        for line in way["lines"]:
            parts = [
                (it["quantity"] - it["free"]) / it["per"] * it["price"] for it in line["items"]
            ]
            assert line["cost"] == pytest.approx(sum(parts), abs=1e-3)
    said = say("cost", "--orders-per-day", 10_000, "--flow", flow, "-v").out
    assert "https://aws.amazon.com/sqs/pricing/" in said
    assert "idle polls, 8 standard" in said


def test_no_orders_cost_what_waits_for_them() -> None:
    report = told(0)
    Report.model_validate_json(json.dumps(report))
    assert all(way["per_order"] is None and way["total"] > 0 for way in report["ways"])
    assert lines(report, "step_functions")["orchestration"]["cost"] == 0
    assert lines(report, "functions")["database"]["cost"] == pytest.approx(43.8)


def test_more_orders_never_cost_less() -> None:
    counts = (0, 1, 1_000, 30_000, 1_000_000, 100_000_000)
    totals = [[way["total"] for way in told(orders)["ways"]] for orders in counts]
    for fewer, more in pairwise(totals):
        assert all(less <= many for less, many in zip(fewer, more, strict=True))
    Report.model_validate_json(json.dumps(told(counts[-1])))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--orders-per-day", -1),
        ("--orders-per-day", 100_000_001),
        ("--orders-per-day", "many"),
        ("--orders-per-day", 1, "--flow", "gift"),
        (),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[object, ...]) -> None:
    said = say("cost", *arguments)
    assert said.code == 2
    assert said.out == ""


def test_every_flow_of_ours_is_measured() -> None:
    assert {it.name for it in installation(Settings()).flows} == set(measured().flows)


def test_what_was_not_measured_of_a_flow_is_said() -> None:
    (said,) = (it for it in told(1_000, "renewal")["assumptions"] if "not measured" in it)
    assert said == (
        "not measured of renewal, so taken from shop, by the messages: "
        "database transfer bytes, worker cpu seconds"
    )
    assert not any("not measured" in it for it in told(1_000)["assumptions"])


def test_requests_are_shared_as_batches_fill() -> None:
    together = measured().flows["shop"]
    alone, middle = measured().at("shop", 0), measured().at("shop", 2)
    assert alone.requests == pytest.approx(3 * together.messages)
    assert alone.requests > middle.requests > together.requests
    assert measured().at("shop", 1e9) == together


def test_an_estimate_needs_no_servers_and_no_directory() -> None:
    installed = installation(Settings())
    (shop,) = (it for it in installed.flows if it.name == "shop")
    assert estimate(shop, installed.queues, 1).ways[0].total > 0


def test_the_measured_figures_say_how_to_get_them_anew() -> None:
    assert measured().command == "python -m benchmarks.flow_costs"
    assert json.loads(json.dumps(told(5)))["measured_at"] == measured().measured_at
