"""`conveyor up`: everything in one process, until it is told to stop."""

import json
import signal
import socket
import stat
from pathlib import Path

import httpx
import pytest
from tests.cli.driver import Process, bodies, running, say, say_apart, until

from conveyor.entrypoints.cli.running import announce
from conveyor.entrypoints.process import Ready


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_it_says_when_it_is_ready_and_commands_find_it(data: Path) -> None:
    with running(data) as (process, ready):
        server = json.loads((data / "server.json").read_text())
        mode = stat.S_IMODE((data / "server.json").stat().st_mode)
        level = say("stock", "set", "CD", 10, "--data", data, "--json").json()
        order = say("place", "-", "--data", data, stdin=json.dumps(bodies(1)[0])).out.strip()
        done = until(lambda: _status(data, order) == "completed")
        stopped = process.stop()

    assert ready["pid"] == server["pid"] == process.popen.pid
    assert ready["url"] == server["url"]
    assert ready["missing_flows"] == {}
    assert "Warning" not in stopped.err
    assert set(ready["services"]) >= {"orders", "payments", "inventory", "shipping"}
    assert set(server) == {"url", "pid", "key", "started"}
    assert mode == 0o600
    assert level["available"] == 10
    assert done
    assert stopped.code == 0
    assert "Traceback" not in stopped.err
    assert not (data / "server.json").exists()


def test_the_first_start_makes_a_key_and_shows_it_once(data: Path) -> None:
    with running(data) as (_, ready):
        key, url = ready["first_key"], ready["url"]
        with_it = say("orders", "list", "--server", url, "--json", CONVEYOR_API_KEY=key)
        without = say("orders", "list", "--server", url, "--data", data / "other")
    with running(data) as (_, ready):
        second = ready["first_key"]

    assert with_it.json() == []
    assert without.code == 1
    assert "CONVEYOR_API_KEY" in without.err
    assert key.startswith("cvy_")
    assert second == ""


def test_the_console_is_opened_by_a_link(data: Path) -> None:
    with running(data) as (_, ready):
        link = say("console", "--data", data).out.strip()
        opened = httpx.get(link)
        again = httpx.get(ready["console"])
    assert link.startswith(f"{ready['url']}/console/enter?once=")
    assert (opened.status_code, again.status_code) == (303, 303)
    assert say("console", "--data", data).code == 2


def test_for_people_it_says_where_and_with_which_key(data: Path) -> None:
    with Process("up", "--data", data, "--port", 0) as process:
        until((data / "server.json").exists)
        said = process.stop(signal.SIGINT)

    assert "Your API key, shown this once:\n  cvy_" in said.err
    assert "Its console, with a link that signs in once:\n  http://127.0.0.1:" in said.err
    assert "Conveyor is ready at http://127.0.0.1:" in said.err
    assert f"Its data are in {data}." in said.err
    assert said.out == ""
    assert said.code == 0


def test_a_second_one_is_told_who_owns_the_directory(data: Path) -> None:
    with running(data) as (process, ready):
        second = say_apart("up", "--data", data, "--port", 0)
        # Nor does it help to hide where the owner answers.
        (data / "server.json").unlink()
        hidden = say_apart("audit", "--data", data)

    assert second.code == 2
    assert f"process {process.popen.pid}" in second.err
    assert ready["url"] in second.err
    assert hidden.code == 2
    assert f"process {process.popen.pid}" in hidden.err


def test_what_a_killed_one_left_behind_is_passed_over(data: Path) -> None:
    with running(data) as (process, _):
        process.stop(signal.SIGKILL)
    left = (data / "server.json").exists()

    opened = say("orders", "list", "--data", data, "--json")
    with running(data) as (process, ready):
        found = json.loads((data / "server.json").read_text())

    assert left
    assert opened.json() == []
    assert found["pid"] == ready["pid"] == process.popen.pid


def test_a_port_that_is_taken_is_named(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = say("up", "--data", data, "--port", port)

    assert said.code == 2
    assert f"cannot listen on 127.0.0.1:{port}" in said.err
    assert "--port" in said.err
    assert not (data / "conveyor.db").exists()


def test_watching_prints_a_line_whenever_an_order_moves_on(data: Path) -> None:
    say("stock", "set", "CD", 10, "--data", data)
    with running(data), Process("orders", "watch", "--data", data, "--json") as watch:
        order = say("place", "-", "--data", data, stdin=json.dumps(bodies(1)[0])).out.strip()
        seen = until(lambda: _moved(watch, order))

    assert seen["status"] == "completed"


def test_a_bad_order_on_the_intake_queue_waits_with_its_reason(data: Path) -> None:
    say("stock", "set", "Item1", 10, "--data", data)
    plain = {"orderId": "ORD123", "userId": "U456", "items": ["Item1"], "total": 100}
    lines = f"{json.dumps(plain)}\nnonsense\n"
    with running(data):
        say("intake", "send", "-", "--data", data, stdin=lines)
        orders = until(lambda: say("orders", "list", "--data", data, "--json").json())
        letters = until(lambda: _messages(data))
        discarded = say(
            "dead-letters", "discard", letters[0]["id"], "--reason", "x", "--data", data
        )
        until(lambda: not _messages(data))

    assert (orders[0]["reference"], orders[0]["total"]) == ("ORD123", 10_000)
    assert (letters[0]["queue"], letters[0]["body"]) == ("intake", "nonsense")
    assert letters[0]["cause"]
    assert discarded.code == 0


def test_a_second_interrupt_stops_at_once(data: Path) -> None:
    say("stock", "set", "CD", 10, "--data", data)
    slow = {"CONVEYOR_PAYMENT_LATENCY_SECONDS": "30"}
    with running(data, **slow) as (process, _):
        order = say("place", "-", "--data", data, stdin=json.dumps(bodies(1)[0])).out.strip()
        until(lambda: _calls(data, order))
        process.popen.send_signal(signal.SIGINT)
        until(lambda: "Stopping" in process.popen.stderr.readline())  # type: ignore[union-attr]
        stopped = process.stop(signal.SIGINT)

    assert stopped.code == 130
    assert "nothing is lost" in stopped.err


def _status(data: Path, order: str) -> str:
    status: str = say("orders", "show", order, "--data", data, "--json").json()["status"]
    return status


def _moved(watch: Process, order: str) -> dict[str, str] | None:
    seen: dict[str, str] = json.loads(watch.line())
    return seen if seen["id"] == order and seen["status"] == "completed" else None


def _messages(data: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = say("dead-letters", "list", "--data", data, "--json").json()[
        "messages"
    ]
    return found


def _calls(data: Path, order: str) -> bool:
    story = say("explain", order, "--data", data, "--json").json()
    return any(call["state"] == "intended" for call in story["calls"])


@pytest.mark.parametrize(("host", "says"), [("10.1.2.3", True), ("127.0.0.1", False)])
def test_away_from_loopback_it_says_what_commands_need(
    capsys: pytest.CaptureFixture[str], host: str, *, says: bool
) -> None:
    url = f"http://{host}:8080"

    announce(Ready(("orders",), url, data="/srv/shop"), as_json=False)

    assert (f"Commands need --server {url} and a key" in capsys.readouterr().err) is says
