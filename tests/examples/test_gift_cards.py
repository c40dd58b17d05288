"""A package with every hook: its route, scope, command, check, facts, and a table that changes."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.cli.driver import running, say_apart, until
from tests.examples.conftest import GIFT_CARDS, install
from tests.servers.once import once

GIFT = {
    "flow": "gift",
    "recipient": "robin",
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "card", "quantity": 1, "unit_price": 2_500}],
    "payment": {"method": "card_ok"},
}
SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("gift_cards", sa.Column("greeting", sa.Text, server_default="", nullable=False))
"""


SHOWN_ALONE = """
import sys
from conveyor.entrypoints.cli import main
from conveyor.operations import demo

everybody = demo.demonstration()
assert [it.name for it, _ in everybody.demos][-1] == "gift_cards", everybody
alone = demo.Demonstration(everybody.demos[-1:])
demo.demonstration = lambda: alone
main.main(["demo", "--json", "--data", sys.argv[1]])
"""


class Place:
    """A data directory, and the directory that the package is installed in."""

    def __init__(self, data: Path, package: Path) -> None:
        self.data = data
        self.settings = {"PYTHONPATH": str(package)}

    def said(self, *arguments: object) -> Any:
        """Run a command of a process that has the package, and give its JSON."""
        return say_apart(*arguments, "--json", "--data", self.data, **self.settings).json()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source") / "gift_cards"
    shutil.copytree(GIFT_CARDS, source)
    return once(tmp_path_factory, "gift-cards", partial(install, source))


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its second version, whose cards have a greeting."""
    source = tmp_path_factory.mktemp("source") / "gift_cards"
    shutil.copytree(GIFT_CARDS, source)
    (source / "gift_cards" / "migrations" / "0002_greetings.py").write_text(SECOND)
    return once(tmp_path_factory, "newer-gift-cards", partial(install, source))


def columns_of(data: Path) -> set[str]:
    with closing(sqlite3.connect(data / "conveyor.db")) as db:
        return {row[1] for row in db.execute("PRAGMA table_info(gift_cards)")}


def revision_of(data: Path) -> str:
    with closing(sqlite3.connect(data / "conveyor.db")) as db:
        (found,) = db.execute("SELECT version_num FROM alembic_version_gift_cards").fetchone()
    return str(found)


@pytest.fixture
def here(package: Path, tmp_path: Path) -> Place:
    return Place(tmp_path, package)


def bought(here: Place) -> str:
    """Give an order that is completed."""
    order = here.data / "order.json"
    order.write_text(json.dumps(GIFT))
    placed: str = here.said("place", order)["id"]
    until(lambda: here.said("orders", "show", placed)["status"] == "completed")
    return placed


def test_its_order_has_facts_a_command_and_a_check(here: Place) -> None:
    with running(here.data, **here.settings) as (_, ready):
        assert "gift_cards" in ready["services"]
        placed = bought(here)
        explained = here.said("explain", placed)
        assert explained["facts"] == {
            "gift_card": {"recipient": "robin", "value": 2_500, "state": "good"}
        }
        assert "Gift card for robin: good." in explained["sentences"]
        assert here.said("gift-card", placed)["value"] == 2_500
        checks = {it["name"]: it for it in here.said("audit")["checks"]}
        assert (checks["card_is_good"]["examined"], checks["card_is_good"]["violations"]) == (1, 0)

    with closing(sqlite3.connect(here.data / "conveyor.db")) as db, db:
        db.execute("UPDATE gift_cards SET value = 1, merchant = 'other'")
    found = say_apart("audit", "--json", "--data", here.data, **here.settings)
    broken = {it["name"] for it in json.loads(found.out)["checks"] if it["violations"]}
    assert (found.code, broken) == (1, {"card_is_good", "of_one_merchant"})


def test_its_route_asks_for_a_scope_of_its_own(here: Place) -> None:
    with running(here.data, **here.settings) as (_, ready):
        placed = bought(here)
        with httpx.Client(base_url=ready["url"]) as api:
            answers = {
                scope: api.get(f"/v1/gift-cards/{placed}", headers=bearer(here, scope)).status_code
                for scope in ("read", "gift_cards")
            }
            described = api.get("/openapi.json").json()
    assert answers == {"read": 403, "gift_cards": 200}
    shown = described["paths"]["/v1/gift-cards/{order}"]["get"]
    assert shown["security"] == [{"apiKey": ["gift_cards"]}]
    assert "GiftBody" in described["components"]["schemas"]


def test_a_second_version_changes_its_table(here: Place, newer: Path) -> None:
    assert "gift_cards 0001" in here.said("migrate")["applied"]
    assert (revision_of(here.data), "greeting" in columns_of(here.data)) == ("0001", False)

    assert Place(here.data, newer).said("migrate")["applied"] == ["gift_cards 0002"]
    assert (revision_of(here.data), "greeting" in columns_of(here.data)) == ("0002", True)

    older = say_apart("migrate", "--data", here.data, **here.settings)
    assert older.code != 0
    assert "revision 0002, which this version of gift_cards does not know" in older.err


def bearer(here: Place, scope: str) -> dict[str, str]:
    return {"authorization": f"Bearer {here.said('keys', 'create', '--scopes', scope)['key']}"}


def test_a_scope_that_nobody_brings_is_named(package: Path, tmp_path: Path) -> None:
    said = say_apart(
        "keys", "create", "--scopes", "gift_card", "--data", tmp_path, PYTHONPATH=str(package)
    )
    assert said.code == 2
    assert "gift_card; there are place, read," in said.err
    assert "gift_cards" in said.err


def test_help_lists_its_command(package: Path) -> None:
    assert "gift-card " in say_apart("--help", PYTHONPATH=str(package)).out


def test_migrations_that_are_not_there_are_named(
    package: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("without")
    shutil.copytree(package, elsewhere, dirs_exist_ok=True)
    (elsewhere / "gift_cards" / "migrations" / "0001_cards.py").unlink()
    said = say_apart("migrate", "--data", tmp_path, PYTHONPATH=str(elsewhere))
    assert said.code == 2
    assert "extension gift_cards: its migrations are in" in said.err
    assert "no file named 0001_" in said.err


def test_it_is_shown_beside_our_flows(package: Path, tmp_path: Path) -> None:
    # Alone, since ours take most of a minute, and are shown by a test of theirs.
    command = [sys.executable, "-c", SHOWN_ALONE, str(tmp_path / "data")]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(package)}, capture_output=True, check=True
    )
    shown = json.loads(done.stdout)
    assert shown["audit"] is True
    assert shown["gift"]["by_status"] == {"completed": 22, "refused": 2}
    assert list(shown["worth_a_look"].values()) == ["not paid for, so its card was taken back"]
