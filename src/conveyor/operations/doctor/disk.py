"""The embedded files: room, rights, and what kind of file system they are on."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from conveyor.adapters.simulated.opening import PAYMENTS_FILE
from conveyor.operations.doctor.findings import Finding, failure, fine, warning
from conveyor.settings import Settings
from conveyor.system.backends import QUEUE_FILE

CHECK = "disk"
MIB = 1_048_576
FULL_BYTES = 100 * MIB
"""Less is as good as nothing: the database's log alone takes up to 64 MiB."""
LOW_BYTES = 1_024 * MIB
OTHERS = stat.S_IRWXG | stat.S_IRWXO
NETWORK_FILE_SYSTEMS = ("9p", "afs", "cifs", "fuse.sshfs", "nfs", "smb")
MOUNTS = Path("/proc/self/mounts")


async def check(settings: Settings) -> list[Finding]:
    """Look at the directory and the files in it; nothing where nothing is embedded."""
    database = settings.database_path
    if database is None:
        return []
    directory = settings.directory
    if not directory.is_dir():
        says = "there is no such directory yet"
        return [warning(CHECK, str(directory), says, "`conveyor up` makes it, or name another")]
    files = [database, *(directory / name for name in (QUEUE_FILE, PAYMENTS_FILE, "server.json"))]
    rights = [it for path in (directory, *files) for it in _rights(path)]
    return [_room(directory), *(rights or [_private(directory)]), *_kind(directory)]


def _room(directory: Path) -> Finding:
    free = shutil.disk_usage(directory).free
    says = f"{free / MIB:,.0f} MiB free"
    if free < FULL_BYTES:
        return failure(CHECK, str(directory), says, "make room: no order is taken on a full disk")
    if free < LOW_BYTES:
        return warning(CHECK, str(directory), says, "make room before it is full")
    return fine(CHECK, str(directory), says)


def _private(directory: Path) -> Finding:
    return fine(CHECK, str(directory), "its files are this user's alone")


def _rights(path: Path) -> Iterator[Finding]:
    if not path.exists():
        return
    need = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
    found = path.stat()
    if not os.access(path, need):
        todo = f"run as the owner, user {found.st_uid}, or give this user the right"
        yield failure(CHECK, str(path), "this user may not read and write it", todo)
    mode = stat.S_IMODE(found.st_mode)
    if mode & OTHERS:
        says = f"mode {mode:04o}: others may look at names, addresses and keys"
        yield warning(CHECK, str(path), says, f"chmod go= '{path}'")


def _kind(directory: Path) -> Iterator[Finding]:
    kind = _file_system(directory)
    if kind.startswith(NETWORK_FILE_SYSTEMS):
        says = f"a network file system ({kind}): SQLite's locks do not hold on it"
        yield failure(CHECK, str(directory), says, "move it to a local disk")


def _file_system(directory: Path) -> str:
    """Give the kind of file system; '' where the system does not tell."""
    try:
        mounts = [line.split() for line in MOUNTS.read_text().splitlines()]
    except OSError:
        return ""
    place = directory.resolve()
    over = [(Path(fields[1]), fields[2]) for fields in mounts]
    holding = [(len(at.parts), kind) for at, kind in over if place.is_relative_to(at)]
    return max(holding, default=(0, ""))[1]
