"""What takes seconds to make, and is only read: made by the first of a run's processes."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Give the file or directory that `make` has made; whoever comes second waits for it."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # of the run, in which each process has a directory of its own
    return made_once(base / name, make)


def made_once(made: Path, make: Callable[[Path], object]) -> Path:
    """Do so wherever it is to be kept; what somebody who was killed has begun is made anew."""
    half = made.with_name(f"half-{made.name}")
    with made.with_name(f"{made.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(half, ignore_errors=True)
            make(half)
            half.rename(made)
    return made
