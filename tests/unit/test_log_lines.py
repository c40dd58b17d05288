"""A log keeps nobody waiting, and tells no event a thousand times over."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

from conveyor.entrypoints.log_lines import (
    SAME_LINES,
    SAME_SECONDS,
    WAITING_LINES,
    LineWriter,
    Repeats,
)

PIPE_BYTES = 65_536
ENOUGH = 6 * WAITING_LINES


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Give both ends of a pipe, that which is read first."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


@pytest.fixture
def watch() -> Watch:
    return Watch()


def logger_of(writer: LineWriter) -> logging.Logger:
    logger = logging.Logger("shop", logging.INFO)  # noqa: LOG001 - one that nobody else knows
    logger.addHandler(writer)
    return logger


def all_of(reading: int, writing: int) -> list[str]:
    """Read until the writing end, which is closed here, has nothing more."""
    os.close(writing)
    seen = b""
    while piece := os.read(reading, PIPE_BYTES):
        seen += piece
    return seen.decode().splitlines()


def test_a_log_that_nobody_reads_stops_nobody(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LineWriter(writing)
    for number in range(ENOUGH):
        logger_of(writer).info(f"of many kinds, this is number {number}")
    seen = b""
    while b"were lost" not in seen:  # its reader comes at last
        seen += os.read(reading, PIPE_BYTES)
        logger_of(writer).info("and one more")
    assert seen.startswith(b"of many kinds, this is number 0\nof many kinds, this is number 1\n")
    writer.flush()


def test_what_happens_again_and_again_is_told_a_few_times_and_counted(
    pipe: tuple[int, int], watch: Watch
) -> None:
    writer = LineWriter(pipe[1], Repeats(watch))
    for number in range(100):
        logger_of(writer).error("order %d could not be placed", number)
    logger_of(writer).error("and this is something else")
    watch.seconds = SAME_SECONDS
    logger_of(writer).error("order %d could not be placed", 100)
    writer.flush()
    lines = all_of(*pipe)

    assert lines[:SAME_LINES] == [f"order {n} could not be placed" for n in range(SAME_LINES)]
    assert lines[SAME_LINES:] == [
        "and this is something else",
        f"shop: {100 - SAME_LINES} more lines like 'order %d could not be placed' were left out",
        "order 100 could not be placed",
    ]


def test_who_did_what_is_told_whole(pipe: tuple[int, int], watch: Watch) -> None:
    writer = LineWriter(pipe[1], Repeats(watch))
    logger = logger_of(writer)
    logger.name = "conveyor.actions"
    for number in range(100):
        logger.info("%d", number)
    writer.flush()
    assert all_of(*pipe) == [str(number) for number in range(100)]
