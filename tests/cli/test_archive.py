"""`conveyor archive` by a process of its own: Ctrl-C stops it, and the same command goes on."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from tests.api.serving import Server, order_of, place, stock_up, wait_for
from tests.cli.driver import Process, say, until

ORDERS = 4


def test_ctrl_c_stops_it_and_the_same_command_goes_on(tmp_path: Path) -> None:
    data, directory = tmp_path / "data", tmp_path / "archive"
    with Server(data) as server:
        client = server.client_of("default")
        stock_up(client)
        for order_id in [place(client, order_of()) for _ in range(ORDERS)]:
            wait_for(client, order_id, "completed")

    def archived() -> int:
        with closing(sqlite3.connect(data / "conveyor.db")) as db:
            return int(db.execute("SELECT count(*) FROM archived_orders").fetchone()[0])

    before = datetime.now(UTC).isoformat()
    reach = ("--data", str(data), "--archive", str(directory))
    command = ("archive", "--before", before, "--json", "--page", "1", *reach)
    with Process(*command, "--rate", "0.5") as process:
        until(archived)
        said = process.stop(signal.SIGINT)
    done = json.loads(said.out)
    assert said.code == 130
    assert 0 < done["archived"] < ORDERS
    assert not done["complete"]
    assert "Stopped. The same command goes on with the rest." in said.err
    assert archived() == done["archived"] == len([*directory.glob("*.gz")])
    rest = say(*command).json()
    assert (rest["archived"], rest["complete"]) == (ORDERS - done["archived"], True)
    assert say("audit", "--data", data).code == 0


def test_what_it_is_asked_must_make_sense(tmp_path: Path) -> None:
    assert say("archive", "--data", tmp_path).code == 2
    data = tmp_path / "data"
    assert say("stock", "set", "CD", 1, "--data", data).code == 0
    unnamed = say("archive", "--before", "2026-01-01", "--data", data)
    assert (unnamed.code, "CONVEYOR_ARCHIVE" in unnamed.err) == (1, True)
    wrong = say("archive", "--before", "soon", "--archive", tmp_path / "a", "--data", data)
    assert (wrong.code, "is a day such as 2026-01-01" in wrong.err) == (1, True)
