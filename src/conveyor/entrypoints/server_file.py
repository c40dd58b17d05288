"""`server.json` in a data directory: where the process that owns it answers, and the key for that.

Readable by its owner alone. What a killed process left behind is recognised and passed over, and so
is what somebody else may have put there: whoever reads it sends a key to the address that it names.
"""

from __future__ import annotations

import logging
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from conveyor.adapters.loopback import is_loopback

log = logging.getLogger(__name__)

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
    if contents is None or not _is_alive(contents.pid):
        return None
    if not is_here(contents.url):
        log.warning(
            "%s names %s, which is not this machine's loopback: the key there is not sent to it; "
            "name it with --server",
            data / NAME,
            contents.url,
        )
        return None
    return contents


def _read(data: Path) -> ServerFile | None:
    """Read what we have written; what anybody else may have is passed over."""
    try:
        descriptor = os.open(data / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != OWNER_ONLY:
                log.warning(
                    "%s is passed over: it is not this user's own, with mode 0600", data / NAME
                )
                return None
            return ServerFile(**orjson.loads(file.read()))
    except (OSError, ValueError, TypeError):
        return None


def is_here(url: str) -> bool:
    """Whether only this machine can be at this address."""
    try:
        return is_loopback(urlsplit(url).hostname)
    except ValueError:  # no URL at all
        return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
