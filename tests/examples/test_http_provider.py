"""A payment provider that the settings name: money moves at it, and the audit asks it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import running, say, say_apart, until
from tests.examples.bank import Bank, running_bank

from conveyor.flows.shop.cdnow import order_body, packaged_purchases

BANK = "examples.http_provider:bank"
ROOT = Path(__file__).parents[2]
CARDS = {
    "card_ok": "completed",
    "card_unanswered": "completed",
    "card_flaky": "completed",
    "card_declined": "refused",
}


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    with running_bank(tmp_path / "bank.db") as it:
        yield it


def settings_of(bank: Bank) -> dict[str, str]:
    return {
        "CONVEYOR_PAYMENT_PROVIDER": BANK,
        "BANK_URL": bank.url,
        "PYTHONPATH": str(ROOT),
    }


def purchase(method: str) -> str:
    return json.dumps(order_body(packaged_purchases()[0]) | {"payment": {"method": method}})


def is_at(order_id: str, status: str, data: Path) -> bool:
    shown = say("orders", "show", order_id, "--json", "--data", data).json()
    return bool(shown["status"] == status)


def test_orders_are_paid_at_the_bank_and_the_audit_asks_it(bank: Bank, tmp_path: Path) -> None:
    data = tmp_path / "data"
    quick = {"CONVEYOR_BACKOFF_BASE_SECONDS": "0.1"}
    with running(data, **settings_of(bank), **quick):
        say("stock", "set", "CD", 1_000, "--data", data)
        placed = {
            card: say("place", "-", "--json", "--data", data, stdin=purchase(card)).json()["id"]
            for card in CARDS
        }
        for card, ending in CARDS.items():
            until(partial(is_at, placed[card], ending, data))
        books = books_of(say("audit", "--json", "--data", data).out)
    assert books["violations"] == 0
    assert books["figures"]["USD"]["ours"] == books["figures"]["USD"]["provider"]
    assert books["figures"]["USD"]["provider"]["captured"] > 0

    forget(bank)
    found = say_apart("audit", "--json", "--data", data, **settings_of(bank))
    assert books_of(found.out)["violations"] > 0


MUTE = """
from contextlib import asynccontextmanager
from types import SimpleNamespace

from examples import http_provider

CALLS = ("authorize", "capture", "charge", "void", "refund", "lookup")


@asynccontextmanager
async def bank(settings, ambient):
    async with http_provider.bank(settings, ambient) as telling:
        yield SimpleNamespace(**{name: getattr(telling, name) for name in CALLS})
"""


def test_a_provider_without_a_statement_is_not_compared_and_that_is_said(
    bank: Bank, tmp_path: Path
) -> None:
    (tmp_path / "mute.py").write_text(MUTE)
    mute = settings_of(bank) | {
        "CONVEYOR_PAYMENT_PROVIDER": "mute:bank",
        "PYTHONPATH": f"{ROOT}:{tmp_path}",
    }
    data = tmp_path / "data"
    assert say_apart("stock", "set", "CD", 1, "--data", data, **mute).code == 0
    said = say_apart("audit", "--data", data, **mute)
    assert (said.code, said.err) == (0, "")
    assert "not compared: the payment provider gives no statement" in said.out


def books_of(report: str) -> Any:
    checks = json.loads(report)["checks"]
    return next(check for check in checks if check["name"] == "books_equal_provider")


def forget(bank: Bank) -> None:
    """Let the bank lose a capture."""
    with closing(sqlite3.connect(bank.file)) as db, db:
        db.execute("DELETE FROM provider_operations WHERE operation = 'capture'")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("bank", "'bank' is none of simulated, and no package.module:NAME"),
        ("examples.http_provider:no_such", "the module examples.http_provider has no 'no_such'"),
        ("no_such_module:bank", "no module named 'no_such_module'"),
        ("examples.http_provider:CONNECT_SECONDS", "is of type float, and no function that opens"),
    ],
)
@pytest.mark.parametrize("setting", ["CONVEYOR_PAYMENT_PROVIDER", "CONVEYOR_CARRIER"])
def test_who_cannot_be_bound_is_named(name: str, says: str, setting: str, tmp_path: Path) -> None:
    said = say("up", "--port", "0", "--data", tmp_path, **{setting: name})
    assert said.code == 2
    assert says in said.err
