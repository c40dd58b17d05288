"""`server.json` in a data directory: where the process that owns it answers, and the key for that.

Readable by its owner alone. What a killed process left behind is recognised and passed over.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

NAME = "server.json"
OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class ServerFile:
    """What the file says; `started` is RFC 3339."""

    url: str
    pid: int
    key: str
    started: str


def write(data: Path, contents: ServerFile) -> None:
    """Put the file in place, whole or not at all."""
    new = data / f"{NAME}.{contents.pid}"
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(orjson.dumps(asdict(contents), option=orjson.OPT_INDENT_2))
    new.replace(data / NAME)


def remove(data: Path, pid: int) -> None:
    """Take the file away, if it is of this process."""
    contents = _read(data)
    if contents is not None and contents.pid == pid:
        (data / NAME).unlink(missing_ok=True)


def find(data: Path) -> ServerFile | None:
    """Give the running server that owns a data directory; None when there is none."""
    contents = _read(data)
    return contents if contents is not None and _is_alive(contents.pid) else None


def _read(data: Path) -> ServerFile | None:
    try:
        return ServerFile(**orjson.loads((data / NAME).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
