"""A file of orders, one JSON object a line, which is read twice: once for its digest.

What cannot be read twice, such as a pipe, is kept in a temporary file meanwhile.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from conveyor.core.errors import ConveyorError

DIGEST_DIGITS = 32
MAX_LINE_BYTES = 4 * 1_048_576
"""More than any order that is taken; a device without lines ends here, not with the memory."""


class LineTooLongError(ConveyorError):
    """A line that is longer than any order: this is no file of orders."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"line {number} is longer than {MAX_LINE_BYTES:,} bytes: an order is one line of JSON"
        )
        self.number = number


@dataclass(frozen=True, slots=True)
class OrderFile:
    """Orders, and the digest of all of them; empty lines are passed over."""

    source: IO[bytes]
    start: int
    digest: str
    orders: int

    @property
    def prefix(self) -> str:
        """How the idempotency keys of all its lines begin."""
        return f"{self.digest}:"

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Give number (from 1) and text of each line, never the whole file at once."""
        self.source.seek(self.start)
        for number, line in enumerate(_lines(self.source), start=1):
            if text := line.strip():
                yield number, text


@contextmanager
def read_orders(source: IO[bytes]) -> Iterator[OrderFile]:
    """Read to the end, for digest and number. Raises `OSError`, `LineTooLongError`."""
    digest, orders = hashlib.sha256(), 0
    with tempfile.TemporaryFile() as kept:
        again = source.seekable()
        start = source.tell() if again else 0
        for line in _lines(source):
            digest.update(line)
            orders += bool(line.strip())
            if not again:
                kept.write(line)
        readable = source if again else kept
        yield OrderFile(readable, start, digest.hexdigest()[:DIGEST_DIGITS], orders)


def _lines(source: IO[bytes]) -> Iterator[bytes]:
    number = 0
    while line := source.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise LineTooLongError(number)
        yield line
