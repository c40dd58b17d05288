"""Writes lines of a log without ever keeping anybody waiting, and no line a thousand times over.

Where nobody reads standard error, its pipe is full after some hundred lines, and whoever writes to
it then waits for ever. So a thread writes, and what it cannot get rid of is left out and counted.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

WAITING_LINES = 4_000
TOGETHER_LINES = 100
TOGETHER_SECONDS = 0.005
"""What comes within such a time is written at once: to wake a thread for each line costs more than
the line."""
SAME_LINES = 20
SAME_SECONDS = 10.0
"""So many events of one kind are told within such a time, of the others how many there were."""
MAX_KINDS = 1_000
FLUSH_SECONDS = 1.0
UNABRIDGED = frozenset({"conveyor.actions", "conveyor.orders"})
"""Who did what, and what became of orders, is told whole: each line stands for itself."""

Kind = tuple[str, int, str]


class Repeats:
    """Tells which events are told: those of one kind have logger, level and wording in common."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing happened yet."""
        self._clock = clock
        self._since = clock()
        self._happened: Counter[Kind] = Counter()
        self.waits = False
        """Whether it remains to be told that something was left out."""

    def is_told(self, record: logging.LogRecord) -> bool:
        """Count an event; whether it is told."""
        if record.name in UNABRIDGED:
            return True
        kind = (record.name, record.levelno, str(record.msg))
        if kind not in self._happened and len(self._happened) >= MAX_KINDS:
            return True
        self._happened[kind] += 1
        is_told = self._happened[kind] <= SAME_LINES
        self.waits |= not is_told
        return is_told

    def over(self) -> list[str]:
        """Begin anew when the time is over; gives what was left out."""
        now = self._clock()
        if now - self._since < SAME_SECONDS:
            return []
        happened, self._happened = self._happened, Counter()
        self._since, self.waits = now, False
        return [
            f"{name}: {count - SAME_LINES} more lines like {wording!r} were left out"
            for (name, _, wording), count in happened.items()
            if count > SAME_LINES
        ]


class LineWriter(logging.Handler):
    """Hands lines to a thread that writes them to a descriptor."""

    def __init__(self, descriptor: int, repeats: Repeats | None = None) -> None:
        """Start the thread; it ends with the process."""
        super().__init__()
        self._descriptor = descriptor
        self._repeats = repeats or Repeats()
        self._lines: SimpleQueue[str | None] = SimpleQueue()  # None: look what is over by now
        self._lost = 0
        self._taken = 0
        self._written = 0
        threading.Thread(target=self._write_all, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take an event down."""
        self._tell_what_is_over()
        if self._repeats.is_told(record):
            self._put(self.format(record))
        else:
            self._lines.put(None)

    def flush(self) -> None:
        """Wait until all is written, but not for long: nobody may be reading."""
        until = time.monotonic() + FLUSH_SECONDS
        while self._written < self._taken and time.monotonic() < until:
            time.sleep(TOGETHER_SECONDS)

    def _put(self, line: str) -> None:
        if self._taken - self._written >= WAITING_LINES:
            self._lost += 1
            return
        self._taken += 1
        self._lines.put(line)

    def _tell_what_is_over(self) -> None:
        for line in self._repeats.over():
            self._put(line)

    def _write_all(self) -> None:
        while True:
            try:
                lines = [self._lines.get(timeout=SAME_SECONDS if self._repeats.waits else None)]
            except Empty:
                self.acquire()
                self._tell_what_is_over()
                self.release()
                continue
            time.sleep(TOGETHER_SECONDS)
            with suppress(Empty):
                while len(lines) < TOGETHER_LINES:
                    lines.append(self._lines.get_nowait())
            told = [line for line in lines if line is not None]
            self._write(told)
            self._written += len(told)

    def _write(self, lines: Sequence[str]) -> None:
        lost, self._lost = self._lost, 0
        if lost:
            _write(self._descriptor, f"{lost} lines were lost: nobody read them in time\n")
        if lines:
            _write(self._descriptor, "\n".join(lines) + "\n")


def write_aside(descriptor: int, line: str) -> None:
    """Write a line of one's own, and wait for that no longer than is due to a reader."""
    writing = threading.Thread(target=_write, args=(descriptor, f"{line}\n"), daemon=True)
    writing.start()
    writing.join(FLUSH_SECONDS)


def _write(descriptor: int, text: str) -> None:
    """Write all of it, past `sys.stderr`: a lock that is held for ever could not be closed."""
    data = text.encode(errors="backslashreplace")
    with suppress(OSError):  # whoever read it is gone
        while data:
            data = data[os.write(descriptor, data) :]
