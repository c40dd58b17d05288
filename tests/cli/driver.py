"""The command line as its user has it: in this process where that is enough, else as a process."""

import fcntl
import io
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from click.testing import CliRunner
from tests.cli.forking import COMMAND, start
from tests.servers.waiting import wait_until

from conveyor.entrypoints.cli import main
from conveyor.flows.shop.cdnow import order_body, packaged_purchases

PATIENCE_SECONDS = 240.0
PREFIX = "CONVEYOR_"
WIDE = {"COLUMNS": "200"}
SIMULATED = {"CONVEYOR_PAYMENT_PROVIDER": "simulated", "CONVEYOR_CARRIER": "simulated"}
"""Nobody is to be paid by tests; on PostgreSQL that has to be said."""
_TELL_AT_THE_END = "import atexit, sys; atexit.register(lambda: print(*sys.modules))"
TELLING = (*COMMAND[:-1], f"{_TELL_AT_THE_END}; {COMMAND[-1]}")
"""The same, which says at its end what it has loaded."""


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


def say(*arguments: object, stdin: str = "", **environment: str) -> Said:
    """Run a command in this process."""
    unset = {name: None for name in os.environ if name.startswith(PREFIX)}
    result = CliRunner().invoke(
        main, [str(a) for a in arguments], input=stdin, env=unset | WIDE | SIMULATED | environment
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


def say_apart(*arguments: object, command: Sequence[str] = COMMAND, **environment: str) -> Said:
    """Run a command as a process of its own, to its end."""
    with Process(*arguments, command=command, **environment) as process:
        return process.end()


def piped(text: bytes, *arguments: object) -> Said:
    """Run a command as a process of its own whose standard input is a pipe."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with start([*COMMAND, *(str(a) for a in arguments)], _environment({}), **pipes) as process:
        try:
            out, err = process.communicate(text, PATIENCE_SECONDS)
        finally:
            process.kill()
    return Said(process.returncode, out.decode(), err.decode())


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def seen(columns: int, *arguments: object) -> list[str]:
    """Run a command in this process before a terminal of so many columns, and give its lines."""
    screen = _Screen()
    with _terminal(columns), redirect_stdout(screen):
        main([str(a) for a in arguments], standalone_mode=False)
    return [line.rstrip() for line in screen.getvalue().rstrip().splitlines()]


def heard(columns: int, *arguments: object) -> list[str]:
    """Run it likewise, and give what it says beside its result."""
    screen = _Screen()
    with _terminal(columns), redirect_stderr(screen), suppress(SystemExit):
        main([str(a) for a in arguments])
    return screen.getvalue().splitlines()


@contextmanager
def _terminal(columns: int) -> Iterator[None]:
    env: dict[str, str | None] = {n: None for n in os.environ if n.startswith(PREFIX)}
    env |= {"COLUMNS": str(columns), "TERM": "dumb"}
    with CliRunner().isolation(env=env):
        yield


def on_a_screen(*arguments: str, rows: int, columns: int) -> list[str]:
    """Run a command whose result goes to a terminal of this size, and give its lines."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    size = {"COLUMNS": str(columns), "LINES": str(rows), "TERM": "dumb"}
    environment = _environment(size)
    null = subprocess.DEVNULL
    with start([*COMMAND, *arguments], environment, stdout=theirs, stderr=null) as process:
        os.close(theirs)
        said = b""
        try:
            while more := os.read(ours, 4_096):
                said += more
        except OSError:  # Linux says so once the other end is closed
            pass
    os.close(ours)
    assert process.returncode == 0
    return said.decode().rstrip().splitlines()


class Process:
    """A command that runs until it is told to stop."""

    def __init__(
        self, *arguments: object, command: Sequence[str] = COMMAND, **environment: str
    ) -> None:
        # A suite that was started in the background has inherited that Ctrl-C is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.popen = start(
            [*command, *(str(a) for a in arguments)],
            _environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.communicate()

    def ready(self) -> Any:
        """Give what `--json` says once the process is ready."""
        return json.loads(self.line())

    def line(self) -> str:
        """Give the next line that it prints."""
        assert self.popen.stdout
        readable, _, _ = select.select([self.popen.stdout], [], [], PATIENCE_SECONDS)
        line = self.popen.stdout.readline() if readable else ""
        assert line, self.popen.stderr and self.popen.stderr.read()
        return line

    def stop(self, number: signal.Signals = signal.SIGTERM) -> Said:
        """Send a signal and wait for the end."""
        self.popen.send_signal(number)
        return self.end()

    def end(self) -> Said:
        """Wait for the end."""
        out, err = self.popen.communicate(timeout=PATIENCE_SECONDS)
        return Said(self.popen.returncode, out, err)


@contextmanager
def running(
    data: Path, *arguments: object, command: Sequence[str] = COMMAND, **environment: str
) -> Iterator[tuple[Process, Any]]:
    """Run `conveyor up` on a free port; give the process and what it said when it was ready."""
    up = ("up", "--data", data, "--port", 0, "--json")
    with Process(*up, *arguments, command=command, **environment) as process:
        yield process, process.ready()
        if process.popen.poll() is None:
            process.stop()


def until(happened: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Wait until it gives something true, and give that."""
    return wait_until(happened, bool, seconds)


def until_is(wanted: object, given: Callable[[], Any]) -> None:
    """Wait until it gives what is wanted; a failure shows what it gave last."""
    wait_until(given, lambda it: it == wanted, PATIENCE_SECONDS)


def bodies(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Give the first orders of the packaged file, with changes."""
    return [order_body(purchase) | changes for purchase in packaged_purchases()[:count]]


def write_lines(path: Path, orders: list[dict[str, Any]]) -> Path:
    """Write a file for `conveyor replay`."""
    path.write_text("".join(json.dumps(order) + "\n" for order in orders))
    return path


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """Give a process's environment: nothing of what the tests' own says of Conveyor."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return ours | WIDE | SIMULATED | dict(given)
