"""Files that their owner alone can read: they hold names, addresses and keys.

What is there already stays as its owner has set it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

OWNER_ONLY_DIRECTORY = 0o700
OWNER_ONLY_FILE = 0o600


def make_private_directory(path: Path) -> None:
    """Make the directory where it is missing; what lies between is made as `mkdir` does."""
    path.mkdir(OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)


def make_private_file(path: Path) -> None:
    """Make an empty file where there is none; SQLite gives its log the rights of its database."""
    with suppress(FileExistsError):
        # Never a file that is there: to close it again would drop SQLite's locks on it.
        os.close(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY_FILE)
        )
