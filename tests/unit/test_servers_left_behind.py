"""A test run that is broken off leaves no server behind, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.servers.waiting import wait_until

RUN = """
import time
from tests.servers.{module} import {module}_server as start
with start({how}) as server:
    print(server.pid, flush=True)
    time.sleep(600)
"""
SERVERS = {"postgres": "durable=False", "ministack": ""}


@contextmanager
def running(server: str, temporary: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a process that runs this server; gives it and the server's pid."""
    run = subprocess.Popen(
        [sys.executable, "-c", RUN.format(module=server, how=SERVERS[server])],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(temporary)},
    )
    assert run.stdout is not None
    try:
        yield run, int(run.stdout.readline())
    finally:
        run.kill()
        run.wait()
        run.stdout.close()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended, and waits for somebody to ask how, does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(pid: int, temporary: Path) -> None:
    wait_until(lambda: (is_alive(pid), list(temporary.iterdir())), lambda it: it == (False, []))


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A directory for temporary files into which PostgreSQL's own account can go too."""
    with tempfile.TemporaryDirectory() as name:
        made = Path(name)
        made.chmod(0o711)
        yield made


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_goes_when_the_run_that_started_it_is_killed(server: str, temporary: Path) -> None:
    with running(server, temporary) as (run, pid):
        assert is_alive(pid)
        assert any(temporary.iterdir())
        run.send_signal(signal.SIGKILL)
        run.wait()
        wait_until_gone(pid, temporary)
