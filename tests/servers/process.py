"""A server as a process of its own: started, waited for, and stopped without touching any other.

Should this process be gone before it stops its server, however it went, the server goes as well.
"""

import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

READY_SECONDS = 30.0
READY_POLL_SECONDS = 0.05
STOP_SECONDS = 20.0
HOST = "127.0.0.1"
LOWEST_PORT = 10_000
LOWEST_EPHEMERAL_PORT = 32_768
PORT_TRIES = 100
# Not seeded: processes that test side by side must not draw the same ports.
CHANCE = random.SystemRandom()
SURVIVES_SECONDS = 5
# Reads a line from us, and is done; the pipe's end without one says that we are gone.
WATCH = """
read -r _ && exit
kill -s "$2" -- "-$1"
for _ in $(seq "$3"); do kill -0 -- "-$1" || break; sleep 1; done
kill -s KILL -- "-$1"
rm -rf -- "$4"
"""


class ServerFailedError(Exception):
    """A server ended or stayed silent instead of becoming ready; `log` holds what it printed."""

    def __init__(self, name: str, log: str) -> None:
        super().__init__(f"{name} did not become ready:\n{log}")
        self.name = name
        self.log = log


class Account(NamedTuple):
    """Whose rights a process gets, as Popen takes them; None leaves them as they are."""

    user: int | None = None
    group: int | None = None
    extra_groups: list[int] | None = None


OURSELVES = Account()


def free_port(in_a_row: int = 1) -> int:
    """Give a TCP port of loopback, the first of so many, that were free a moment ago.

    They lie below those that the system hands to whoever connects: of these one that is free now
    may be anybody's a moment later.
    """
    for _ in range(PORT_TRIES):
        first = CHANCE.randrange(LOWEST_PORT, LOWEST_EPHEMERAL_PORT - in_a_row)
        with ExitStack() as stack:
            try:
                for port in range(first, first + in_a_row):
                    stack.enter_context(socket.socket()).bind((HOST, port))
            except OSError:
                continue
            return first
    raise ServerFailedError("a port", f"none of {PORT_TRIES} was free")


@contextmanager
def running_server(
    name: str,
    command: list[str],
    home: Path,
    *,
    ready: Callable[[], bool],
    account: Account = OURSELVES,
    stop: signal.Signals = signal.SIGTERM,
    environment: dict[str, str] | None = None,
    inherit: tuple[int, ...] = (),
) -> Iterator[int]:
    """Start the command, wait until `ready()`, yield its pid; end exactly that process.

    `home` is the command's working directory and all its own: it is removed when we are killed.
    """
    log = home / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=inherit,
            cwd=home,
            # A keyboard interrupt is for the test run, which then stops its servers itself.
            start_new_session=True,
            user=account.user,
            group=account.group,
            extra_groups=account.extra_groups,
        )
    with _watched(process, home, stop):
        try:
            _wait(name, process, ready, log)
            yield process.pid
        finally:
            _stop(process, stop)


@contextmanager
def _watched(server: subprocess.Popen[bytes], home: Path, stop: signal.Signals) -> Iterator[None]:
    """End the server when this process is gone, which then cannot do it itself."""
    told = [str(server.pid), stop.name.removeprefix("SIG"), str(SURVIVES_SECONDS), str(home)]
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", WATCH, "watcher", *told],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # it outlives whatever ends us
    )
    try:
        yield
    finally:
        watcher.communicate(b"done\n")


def _wait(
    name: str, process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path
) -> None:
    give_up = time.monotonic() + READY_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > give_up:
            raise ServerFailedError(name, log.read_text(errors="replace"))
        time.sleep(READY_POLL_SECONDS)


def _stop(process: subprocess.Popen[bytes], stop: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(stop)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
