"""`conveyor status`, `top` and `services`: what somebody on call types first."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from rich.console import Console, ConsoleDimensions
from tests.api.serving import Server, order_of, paid_by, place, stock_up, wait_for
from tests.cli.driver import Process, Said, say, seen
from tests.cli.typing_on import Terminal
from tests.doctor.test_databases import in_file

from conveyor.core.paused_services import paused_services
from conveyor.entrypoints.cli.top import screen

ROWS, COLUMNS = 24, 80
WHY = "the bank is being moved"
_numbers = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A system of its own, which is paused and has parked orders."""
    with Server(tmp_path_factory.mktemp("status")) as running:
        stock_up(running.client())
        yield running


def ask(server: Server, *arguments: object, key: str = "") -> Said:
    """Run a command against a server, by default as who owns it."""
    return say(*arguments, CONVEYOR_SERVER=server.url, CONVEYOR_API_KEY=key or server.local_key)


def a_parked_order(server: Server) -> str:
    """Give the key of a merchant of its own, of whom one order is parked."""
    client = server.client_of(f"m{next(_numbers)}", ["place", "read", "operate"])
    wait_for(client, place(client, paid_by("card_down")), "parked")
    return str(client.headers["authorization"]).removeprefix("Bearer ")


def test_all_is_well_where_nothing_is_the_matter(tmp_path: Path) -> None:
    say("stock", "set", "CD", 1, "--data", tmp_path)
    said = say("status", "--data", tmp_path)
    assert (said.code, said.err) == (0, "")
    assert "0 open, 0 parked; in the last minute 0 placed, 0 ended.\nAll is well." in said.out
    for name in ("shop@1", "food@1", "travel@1", "renewal@1"):
        assert name in said.out
    assert "No process has said that it lives." in said.out
    assert say("status", "--data", tmp_path, "--json").json()["ok"] is True


def test_what_needs_somebody_is_said_and_ends_with_1(server: Server) -> None:
    key = a_parked_order(server)
    said = ask(server, "status", key=key)
    assert said.code == 1
    assert "1 thing to see to:\n  shop@1: 1 of its orders are parked.\n" in said.out
    assert "`conveyor dead-letters list`" in said.out
    whole = ask(server, "status", "--json")
    assert whole.code == 1
    assert '"kind": "parked"' in whole.out


def test_a_service_is_paused_and_resumed_by_hand(server: Server) -> None:
    client = server.client()
    paused = ask(server, "services", "pause", "subscriptions", "--because", WHY)
    assert (paused.code, paused.out) == (0, "subscriptions is paused.\n")
    assert "within 3 s: 1" in paused.err
    assert (
        "is paused already"
        in ask(server, "services", "pause", "subscriptions", "--because", "x").out
    )
    listed = ask(server, "services", "list", "--json").json()
    [one] = [it for it in listed if it["paused"]]
    assert (one["name"], one["paused"]["why"]) == ("subscriptions", WHY)
    assert WHY in ask(server, "services", "list").out
    assert (
        f"subscriptions: it is paused since {one['paused']['since']}" in ask(server, "status").out
    )

    assert " now)" not in ask(server, "status").out
    earlier = sa.update(paused_services).values(since=paused_services.c.since - 7_300_000)
    server.run(server.app.engine.database.run(lambda tx: tx.execute(earlier)))
    assert f"{WHY} (for 2 h 1 min now)" in " ".join(ask(server, "status").out.split())

    assert ask(server, "services", "resume", "subscriptions").out == "subscriptions goes on.\n"
    assert ask(server, "services", "resume", "subscriptions").out == (
        "subscriptions was not paused.\n"
    )
    wait_for(client, place(client, order_of()), "completed")


def test_what_cannot_be_paused_is_said(server: Server) -> None:
    unknown = ask(server, "services", "pause", "payment", "--because", WHY)
    assert unknown.code == 1
    assert "payment is no service here. There are: orders, payments" in unknown.err
    assert ask(server, "services", "pause", "payments", "--because", " ").code == 2
    assert ask(server, "services", "pause", "payments").code == 2
    merchants = a_parked_order(server)
    refused = ask(server, "services", "pause", "payments", "--because", WHY, key=merchants)
    assert refused.code != 0
    assert "`operate` and `audit`" in refused.err


def test_the_doctor_and_the_story_tell_of_a_pause(tmp_path: Path) -> None:
    say("stock", "set", "CD", 1, "--data", tmp_path)
    say("services", "pause", "payments", "--because", WHY, "--data", tmp_path)
    file = tmp_path / "order.json"
    file.write_text(json.dumps(order_of()))
    order_id = say("place", file, "--data", tmp_path).out.strip()
    assert "It waits for service payments, which is paused since" in (
        say("explain", order_id, "--data", tmp_path).out
    )
    examined: Any = json.loads(say("doctor", "--data", tmp_path, "--json").out)
    checks = [it for it in examined["checks"] if it["check"] == "services"]
    assert [(it["subject"], it["status"]) for it in checks] == [("payments", "warning")]
    assert WHY in checks[0]["says"]
    assert checks[0]["todo"].startswith("`conveyor services resume payments`")

    in_file("UPDATE paused_services SET since = since - 3700000")(tmp_path)
    examined = json.loads(say("doctor", "--data", tmp_path, "--json").out)
    [check] = [it for it in examined["checks"] if it["check"] == "services"]
    assert (check["status"], "for 1 h 1 min now" in check["says"]) == ("failure", True)


def test_status_fits_80_columns(tmp_path: Path) -> None:
    say("stock", "set", "CD", 1, "--data", tmp_path)
    lines = seen(COLUMNS, "status", "--data", tmp_path)
    assert "All is well." in lines
    assert max(map(len, lines)) <= COLUMNS


def test_top_prints_lines_where_there_is_no_terminal(server: Server) -> None:
    known = {"CONVEYOR_SERVER": server.url, "CONVEYOR_API_KEY": server.local_key}
    with Process("top", "--every", 1, **known) as process:
        for _ in range(2):
            assert " open, " in process.line()
        said = process.stop(signal.SIGINT)
    assert said.code == 130
    assert "Traceback" not in said.err


@pytest.mark.parametrize(("by_key", "code"), [(True, 0), (False, 130)], ids=["q", "Ctrl-C"])
def test_top_ends_and_leaves_the_terminal_as_it_was(
    server: Server, *, by_key: bool, code: int
) -> None:
    known = {"CONVEYOR_SERVER": server.url, "CONVEYOR_API_KEY": server.local_key}
    with Terminal("top", "--every", "1", rows=ROWS, columns=COLUMNS, **known) as terminal:
        terminal.wait_for(b"q ends this")
        if by_key:
            terminal.type(b"q")
        else:
            terminal.interrupt()
        assert terminal.ended() == code
    drawn = terminal.drawn
    assert terminal.after == terminal.before
    assert drawn.index(b"\x1b[?1049h") < drawn.index(b"shop@1") < drawn.index(b"\x1b[?1049l")
    assert b"Traceback" not in drawn


def test_the_screen_of_a_busy_system_fits_80_by_24() -> None:
    station = {"waiting": 1_234, "working": 12, "outside": 0, "undoing": 3, "parked": 7}
    flow = {
        "version": 12,
        "ends_a_minute": 12_345,
        "stations": [
            {"step": f"a_service_{n}.a_step_of_it", "a_minute": 3, "oldest_ms": 400_000, **station}
            for n in range(7)
        ],
    }
    depth = {"visible": 123_456, "in_flight": 1_000, "delayed": 0}
    named = {"depth": depth, "dead": 3, "orders": 1_000, "oldest_ms": 90_000_000}
    worker = {
        "host": "a-rather-long-name-of-a-machine.internal",
        "pid": 123_456,
        "version": "0.1.0",
        "services": [f"service-{n}" for n in range(12)],
        "in_hand": 1_000,
        "started_at": "2026-01-01T10:00:00.000+00:00",
        "seen_at": "2026-01-01T10:00:00.000+00:00",
        "alive": False,
    }
    view = {
        "at": "2026-01-01T10:00:00.000+00:00",
        "ok": False,
        "open": 1_234_567,
        "parked": 1_234,
        "placed_a_minute": 12_345,
        "ended_a_minute": 12_345,
        "needs": [{"subject": f"queue-{n}", "says": "very much " * 20} for n in range(9)],
        "flows": [{"flow": name, **flow} for name in ("shop", "food", "travel", "renewal")],
        "queues": [{"name": f"queue-{n}", **named} for n in range(12)],
        "workers": [worker] * 5,
    }
    console = Console(width=COLUMNS, height=ROWS, file=io.StringIO(), force_terminal=True)
    drawn = console.render_lines(screen(view, "", ConsoleDimensions(COLUMNS, ROWS)), pad=False)
    lines = ["".join(part.text for part in line) for line in drawn]
    assert len(lines) <= ROWS
    assert max(map(len, lines)) <= COLUMNS
    said = "\n".join(lines)
    for name in ("1,234,567 open", "9 things to see to", "renewal@12", "queue-0", "q ends this"):
        assert name in said
