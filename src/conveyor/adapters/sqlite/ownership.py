"""One process owns a database file: SQLite up to 3.51.2 can corrupt it with several writers.

Source: https://sqlite.org/wal.html#walresetbug
"""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path

from conveyor.adapters.private_files import OWNER_ONLY_FILE
from conveyor.core.errors import DataDirectoryInUseError

OWNER_LINE_BYTES = 200


class Ownership:
    """An exclusive lock beside the file, let go by the kernel when the process ends, however."""

    def __init__(self, path: Path) -> None:
        """Take the lock of the file at `path`. Raises `DataDirectoryInUseError`."""
        lock = path.with_name(f"{path.name}.lock")
        # A lock of its own: closing any descriptor of the database would drop SQLite's locks.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(lock, flags, OWNER_ONLY_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, OWNER_LINE_BYTES, 0).decode().strip()
            os.close(descriptor)
            raise DataDirectoryInUseError(str(path), owner or "another process") from None
        self._descriptor: int | None = descriptor
        _sign(descriptor)

    def release(self) -> None:
        """Let go. The lock file stays: removing it could remove the next owner's."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None  # the number may soon be another file's


def _sign(descriptor: int) -> None:
    since = datetime.now(tz=UTC).isoformat(timespec="seconds")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()} (since {since})\n".encode(), 0)
