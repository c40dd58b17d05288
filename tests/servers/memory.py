"""Directories in memory, where the machine has such a place: for what does not test the disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a fresh directory is made in it
ENOUGH_BYTES = 4 * 2**30
"""What all tests together may keep in files at a time, nearly twice over."""
MEMORY_BYTES = 12 * 2**30
"""What they need beside: six of them run at a time, with their servers and browsers."""


def in_memory_for_all() -> Path | None:
    """Give the place for temporary files, if all of them have room in memory, programs too.

    To create thousands of files on a disk takes a twentieth of the tests' time.
    """
    if not SHARED_MEMORY.is_dir():
        return None
    found = os.statvfs(SHARED_MEMORY)
    has_room = found.f_bavail * found.f_frsize >= ENOUGH_BYTES and _available() >= MEMORY_BYTES
    return SHARED_MEMORY if has_room and not found.f_flag & os.ST_NOEXEC else None


def _available() -> int:
    """Give the bytes that are left for programs: https://docs.kernel.org/filesystems/proc.html."""
    said = Path("/proc/meminfo").read_text(encoding="ascii")
    [kibibytes] = [line.split()[1] for line in said.splitlines() if line.startswith("MemAvailable")]
    return int(kibibytes) * 1024


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
