"""What is listed can be read on terminals of 60, 80 and 120 columns: no word is broken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.driver import TELLING, bodies, heard, running, say, say_apart, seen
from tests.cli.forking import COMMAND

from conveyor.entrypoints.cli import main

ADDRESS = {"name": "A. Buyer", "line1": "1 Main Street", "city": "Springfield", "country": "US"}
REASON = "ordered twice"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an order that goes on and one that was cancelled."""
    directory = tmp_path_factory.mktemp("screens") / "data"
    first, second = (json.dumps(body | {"shipping": ADDRESS}) for body in bodies(2))
    say("place", "-", "--data", directory, stdin=first)
    cancelled = say("place", "-", "--data", directory, stdin=second).out.strip()
    say("orders", "cancel", cancelled, "--reason", REASON, "--data", directory)
    return directory


def placed(data: Path) -> list[dict[str, str]]:
    """The newest first."""
    found: list[dict[str, str]] = say("orders", "list", "--data", data, "--json").json()
    return found


def listed(data: Path, columns: int) -> list[str]:
    lines = seen(columns, "orders", "list", "--data", data)
    assert max(map(len, lines)) <= columns
    return lines


def test_on_60_columns_each_order_is_a_list_of_its_fields(data: Path) -> None:
    lines = listed(data, 60)

    assert [line.split() for line in lines if line.startswith("order ")] == [
        ["order", order["id"]] for order in placed(data)
    ]
    assert f"status     cancelled: {REASON}" in lines
    assert "reference  cdnow-2" in lines
    assert "status     processing at payments.authorize" in lines
    assert lines[0] == ""
    assert lines.count("") == 2


def test_on_80_columns_the_reference_makes_room(data: Path) -> None:
    text = "\n".join(lines := listed(data, 80))

    assert lines[1].split() == ["order", "placed", "flow", "status", "total"]
    for order in placed(data):
        date, minute = order["placed_at"][:10], order["placed_at"][11:16]
        row = next(line for line in lines if order["id"] in line)
        assert date in row
        assert f"{minute}Z" in text
        assert "shop" in row
    assert "cancelled: ordered " in text
    assert "payments.authorize" in text


def test_on_120_columns_all_fits_a_row(data: Path) -> None:
    lines = listed(data, 120)

    assert lines[1].split() == ["order", "placed", "flow", "reference", "status", "total"]
    for order in placed(data):
        row = next(line for line in lines if order["id"] in line)
        assert order["placed_at"][:16].replace("T", " ") + "Z" in row
        assert order["reference"] in row
        assert order["status"] in row
        assert "USD" in row


@pytest.mark.parametrize("command", [(), *((name,) for name in main.commands)])
def test_help_fits_80_columns(command: tuple[str, ...]) -> None:
    lines = say(*command, "--help", COLUMNS="80").out.splitlines()

    assert [line for line in lines if len(line) > 80] == []


def test_help_waits_for_no_library_that_it_does_not_need() -> None:
    loaded = "import sys, conveyor.entrypoints.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, check=True)
    modules = {*done.stdout.decode().split()}

    assert not {"sqlalchemy", "fastapi", "pydantic", "rich", "boto3"} & modules


def test_a_command_that_asks_a_server_loads_nothing_that_serves(tmp_path: Path) -> None:
    with running(tmp_path):
        for command in ("status", "orders list", "stock set CD 5", "audit", "dead-letters list"):
            said = say_apart(*command.split(), "--data", tmp_path, command=TELLING)
            assert said.code == 0, said.err
            assert not {"fastapi", "sqlalchemy"} & {*said.out.split()}, command


def test_an_order_is_shown_with_where_it_goes(data: Path) -> None:
    shown = say("orders", "show", placed(data)[0]["id"], "--data", data).out

    assert "A. Buyer, 1 Main Street, Springfield, US" in shown
    assert "shop" in shown


def test_keys_are_not_broken_either(data: Path) -> None:
    made = say("keys", "create", "--label", "the shop", "--data", data, "--json").json()
    lines = seen(60, "keys", "list", "--data", data)

    assert max(map(len, lines)) <= 60
    assert any(line.split()[-1:] == [made["id"]] for line in lines)


def test_errors_are_broken_at_words_too(tmp_path: Path) -> None:
    lines = heard(60, "orders", "list", "--data", tmp_path / "a directory that nobody has made")

    assert len(lines) > 2
    assert max(len(line) for line in lines if " " in line.strip()) <= 60
    assert " ".join(map(str.strip, lines)).endswith("`conveyor up` begins a new one.")


def test_who_reads_no_further_is_told_nothing() -> None:
    """As in `conveyor asyncapi | head`."""
    command = [*COMMAND, "asyncapi"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()  # before it can have written anything
        assert running.stderr.read() == b""
