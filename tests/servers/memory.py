"""Directories in memory, where the machine has such a place: for what does not test the disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a fresh directory is made in it


@contextmanager
def directory_in_memory() -> Iterator[Path]:
    """Make a directory, and remove it with all that is in it."""
    parent = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=parent, prefix="conveyor-test-") as name:
        yield Path(name)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """As pytest's own, but in memory: every 202 waits for a disk otherwise."""
    with directory_in_memory() as path:
        yield path
