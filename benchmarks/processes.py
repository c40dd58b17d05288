"""Conveyor as its users run it: the command, in processes of their own, looked at from outside."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CONVEYOR = Path(sys.executable).with_name("conveyor")
MODULE_SECONDS = 1_800
STOP_SECONDS = 3
"""For a clean stop: a long poll on SQS would hold it up for 20 s, when all orders are settled.

Being killed then loses nothing, as the audit that follows shows.
"""
LOOK_SECONDS = 0.1
KIB = 1024
SETTINGS_PREFIX = "CONVEYOR_"
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class CommandFailedError(Exception):
    """A command that was to succeed did not; `errors` holds what it said."""

    def __init__(self, command: list[str], errors: str) -> None:
        super().__init__(f"{' '.join(command)}\n{errors}")
        self.command = command
        self.errors = errors


class Watched:
    """A process that is running, or ran: its figures are those of the kernel."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self.process = process
        self._peak = 0
        self._cpu = 0.0

    def peak_bytes(self) -> int:
        """Give the most memory that was resident at any time; once it ended, as last looked at."""
        with contextlib.suppress(OSError, StopIteration):
            status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
            line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
            self._peak = int(line.split()[1]) * KIB
        return self._peak

    def cpu_seconds(self) -> float:
        """Give the processor time of all its threads, the kernel's on its behalf too.

        Once it ended, as last looked at.
        """
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
            user, system = stat.rpartition(")")[2].split()[11:13]
            self._cpu = (int(user) + int(system)) / TICKS_A_SECOND
        return self._cpu


def run_module(name: str, *arguments: object, settings: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
    """Run one of the modules here and give the JSON object that it prints."""
    command = [sys.executable, "-m", name, *map(str, arguments)]
    return _json_of(command, os.environ | dict(settings or {}))


def conveyor(*arguments: object, settings: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    """Run a `conveyor` command that ends by itself and give its JSON."""
    return _json_of([str(CONVEYOR), *map(str, arguments), "--json"], _environment(settings))


def watched(*arguments: object, settings: Mapping[str, str], name: str = "") -> tuple[Any, Watched]:
    """Run a `conveyor` command; give its JSON, and the process with its peak of memory."""
    command = [str(CONVEYOR), *map(str, arguments), "--json"]
    process = _start(command, _environment(settings))
    seen = Watched(name or str(arguments[0]), process)
    ended = threading.Event()
    looking = threading.Thread(target=_look, args=(seen, ended))
    looking.start()
    try:
        output, errors = process.communicate(timeout=MODULE_SECONDS)
    finally:
        ended.set()
        looking.join()
        _end(process)
    return _parsed(command, process.returncode, output, errors), seen


@contextmanager
def running(
    *arguments: object, settings: Mapping[str, str], name: str = ""
) -> Iterator[tuple[Any, Watched]]:
    """Run `up`, `serve` or `work`; yields once it is ready, with what it then says as JSON."""
    command = [str(CONVEYOR), *map(str, arguments), "--json"]
    process = _start(command, _environment(settings), errors=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        if not ready:
            raise CommandFailedError(command, "it ended without becoming ready")
        yield json.loads(ready), Watched(name or str(arguments[0]), process)
    finally:
        _end(process)


@contextmanager
def background(*arguments: object, settings: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a `conveyor` command beside others; whoever takes it may kill it."""
    command = [str(CONVEYOR), *map(str, arguments), "--json"]
    environment = _environment(settings)
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet, text=True, env=environment)
    try:
        yield process
    finally:
        _end(process)


def _look(seen: Watched, ended: threading.Event) -> None:
    while not ended.wait(LOOK_SECONDS):
        seen.peak_bytes()
        seen.cpu_seconds()


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Leave out what the caller's shell says of another installation."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS_PREFIX)}
    return inherited | dict(settings)


def _start(
    command: list[str], environment: Mapping[str, str], errors: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
    )


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.communicate(timeout=STOP_SECONDS)
    except (subprocess.TimeoutExpired, ValueError):  # its pipes may have been read and closed
        process.kill()
        process.wait()
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _json_of(command: list[str], environment: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment,
        timeout=MODULE_SECONDS,
        check=False,
    )
    return _parsed(command, done.returncode, done.stdout, done.stderr)


def _parsed(command: list[str], code: int, output: str, errors: str) -> Any:  # noqa: ANN401 - JSON
    if code:
        raise CommandFailedError(command, output + errors)
    return json.loads(output)
