"""Commands as processes of their own that have not each to load all modules, which takes a second.

A process that has loaded them forks: see `fork_server`.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.cli.fork_server import PACKAGES_OF_OTHERS

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from conveyor.entrypoints.cli import main; main()")
READ_EARLY = ("PYTHON", "LANG", "LC_", "OTEL_", "PSYCOPG_", "SSL")
"""Variables that the interpreter, or a module that is loaded, reads before a command begins."""
CAN_FORK = hasattr(os, "pidfd_open")
"""On Linux: libraries of macOS do not stand it."""
_CHILDS_ENDS = (10, 13, 15)


def start(
    command: Sequence[str], environment: dict[str, str], **streams: Any
) -> subprocess.Popen[Any]:
    """Start a process as Popen does, by forking where it is a plain command."""
    is_ours = CAN_FORK and tuple(command[: len(COMMAND)]) == COMMAND
    forks = is_ours and _has_loaded_for(environment)
    return (Forked if forks else subprocess.Popen)(command, env=environment, **streams)


def read_early(environment: Mapping[str, str]) -> dict[str, str]:
    """Give what of an environment only a new interpreter would heed."""
    return {
        name: it
        for name, it in environment.items()
        if name.startswith(READ_EARLY) and name != PACKAGES_OF_OTHERS
    }


def _has_loaded_for(environment: Mapping[str, str]) -> bool:
    """Whether what the server has loaded is what a new interpreter would load."""
    # It looks for packages of others when it has forked; but what it has it keeps.
    places = environment.get(PACKAGES_OF_OTHERS, "").split(os.pathsep)
    if any(Path(it, "conveyor").exists() for it in places if it and it not in sys.path):
        return False
    return read_early(environment) == _server().environment


class Forked(subprocess.Popen[Any]):
    """A command whose parent is the server, which tells its pid, and how it ended."""

    def _execute_child(self, *given: Any) -> None:
        """Have it begun, once Popen has made the pipes."""
        command, cwd, environment = given[0], given[5], given[6]
        streams = [given[at] if given[at] >= 0 else n for n, at in enumerate(_CHILDS_ENDS)]
        self._server, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(_server().requests, [b"."], [*streams, theirs.fileno()])
        told = [command[len(COMMAND) :], environment, str(cwd or Path.cwd())]
        self._server.sendall(json.dumps(told).encode())
        self._server.shutdown(socket.SHUT_WR)
        self.pid = self._told()
        self._child_created = True
        self._close_pipe_fds(*given[10:16])  # type: ignore[attr-defined]  # typeshed has it not

    def poll(self) -> int | None:
        """Give the exit code, or the negative number of the signal; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, and give the same. Raises `TimeoutExpired`."""
        if self.returncode is None:
            self._server.settimeout(timeout and max(timeout, 0))
            try:
                status = self._told()
            except (BlockingIOError, TimeoutError) as error:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from error
            self.returncode = os.waitstatus_to_exitcode(status)
            self._server.close()
        return self.returncode

    def _told(self) -> int:
        number = self._server.recv(4, socket.MSG_WAITALL)
        if not number:
            raise ConnectionError("the process that forks is gone")
        return int.from_bytes(number, "big")


class _Server(NamedTuple):
    requests: socket.socket
    environment: dict[str, str]


@cache
def _server() -> _Server:
    """Start it, once in each process."""
    requests, theirs = socket.socketpair()
    code = f"from tests.cli.fork_server import serve; serve({theirs.fileno()}); {COMMAND[-1]}"
    with theirs:
        process = subprocess.Popen(
            [*COMMAND[:-1], code],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )

    @atexit.register
    def end() -> None:
        requests.close()
        process.wait()

    return _Server(requests, read_early(os.environ))
