"""A command in front of a real terminal, on which somebody types."""

from __future__ import annotations

import os
import pty
import signal
import struct
import termios
from contextlib import suppress
from fcntl import ioctl
from typing import Any, Self

from tests.cli.driver import PREFIX, until
from tests.cli.forking import COMMAND, start


class Terminal:
    """A terminal of so many rows and columns, and a command that runs in it; `drawn` is all of it.

    `before` and `after` are its modes, before the command began and once it has ended.
    """

    def __init__(self, *arguments: str, rows: int, columns: int, **environment: str) -> None:
        self._ours, self._theirs = pty.openpty()
        os.set_blocking(self._ours, False)
        ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before: Any = termios.tcgetattr(self._theirs)
        self.after: Any = None
        self.drawn = b""
        others = {name: it for name, it in os.environ.items() if not name.startswith(PREFIX)}
        # A suite that was started in the background has inherited that Ctrl-C is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._process = start(
            [*COMMAND, *arguments],
            others | {"TERM": "xterm-256color"} | environment,
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def wait_for(self, text: bytes) -> None:
        """Wait until this was drawn."""
        until(lambda: text in self._read())

    def type(self, keys: bytes) -> None:
        """Type."""
        os.write(self._ours, keys)

    def interrupt(self) -> None:
        """Do what a shell's terminal does at Ctrl-C: this one is nobody's."""
        self._process.send_signal(signal.SIGINT)

    def ended(self) -> int:
        """Wait for the end of the command; gives its exit code."""
        until(lambda: self._read() and self._process.poll() is not None)
        self._read()
        self.after = termios.tcgetattr(self._theirs)
        return self._process.wait()

    def _read(self) -> bytes:
        with suppress(BlockingIOError):
            while more := os.read(self._ours, 65_536):
                self.drawn += more
        return self.drawn
