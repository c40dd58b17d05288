"""A `server.json` that somebody else has put there gets no key from us."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.cli.driver import say, say_apart

KEY = "cvy_not_for_you"


class _Listener(HTTPServer):
    """Writes down what it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sent: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Listener)
        self.server.sent.append(str(self.headers))
        self.send_error(503)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def listener() -> Iterator[_Listener]:
    with _Listener() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_one_that_others_could_have_written_is_passed_over(
    tmp_path: Path, listener: _Listener
) -> None:
    say("stock", "set", "CD", 1, "--data", tmp_path)
    _plant(tmp_path, f"http://127.0.0.1:{listener.server_port}", 0o644)

    said = say_apart("stock", "list", "--data", tmp_path)

    assert listener.sent == []
    assert "server.json is passed over" in said.err


def test_one_that_names_another_machine_is_passed_over(tmp_path: Path) -> None:
    say("stock", "set", "CD", 1, "--data", tmp_path)
    _plant(tmp_path, "http://192.0.2.1:8080", 0o600)

    said = say_apart("stock", "list", "--data", tmp_path)

    assert said.code == 0
    assert "not this machine's loopback" in said.err


def _plant(data: Path, url: str, mode: int) -> None:
    contents = {"url": url, "pid": os.getpid(), "key": KEY, "started": "2026-01-01T00:00:00Z"}
    (data / "server.json").write_text(json.dumps(contents))
    (data / "server.json").chmod(mode)
