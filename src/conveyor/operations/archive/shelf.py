"""The directory of an archive: JSON Lines, packed with gzip, a page of orders a file.

A file is there whole or not at all, and is on disk before anybody hears of it. It holds names and
addresses: its owner alone can read it.
"""

from __future__ import annotations

import asyncio
import fcntl
import gzip
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from conveyor.adapters.private_files import OWNER_ONLY_FILE, make_private_directory
from conveyor.core.errors import ConveyorError
from conveyor.operations.archive.documents import Document
from conveyor.settings import Settings

T = TypeVar("T")

PREFIX, SUFFIX, PART = "orders-", ".jsonl.gz", ".part"
LOCK = ".lock"
DAMAGED = "it is cut off or damaged"
BRING_IT_BACK = (
    "see that this process may read it, or bring it back from a backup, by the same name"
)
_LEVEL = 6
"""Of gzip: higher ones take several times as long for a few per cent."""


class ArchiveUnnamedError(ConveyorError):
    """No directory is named for the archive."""

    def __init__(self) -> None:
        super().__init__(
            "no directory is named for the archive: set CONVEYOR_ARCHIVE where the server is "
            "started, and start it anew; without a server, for this command"
        )


class ArchiveMissingError(ConveyorError):
    """An order is in the archive, and its file is not at hand here, or cannot be read."""

    def __init__(self, order_id: str, file: str, directory: Path | None, why: str = "") -> None:
        where = f"is not in {directory}" if directory else "no directory is named for"
        todo = "name the directory that has it in CONVEYOR_ARCHIVE"
        if why:
            where, todo = f"cannot be read in {directory} ({why})", BRING_IT_BACK
        super().__init__(f"order {order_id} is archived in {file}, which {where}: {todo}")
        self.order_id = order_id
        self.file = file
        self.directory = directory
        self.why = why

    def said_to(self, *, runs_the_system: bool) -> str:
        """Give it as a sentence; where its directory is, only who runs the system is told."""
        lack = "cannot be read" if self.why else "is not at hand"
        known = f"order {self.order_id} is archived in {self.file}, which {lack} here"
        text = str(self) if runs_the_system else known
        return f"{text[0].upper()}{text[1:]}."


class ArchiveBusyError(ConveyorError):
    """Somebody else writes into the directory now."""

    def __init__(self, directory: Path) -> None:
        super().__init__("somebody else writes into the archive now")
        self.directory = directory


class Shelf:
    """A directory of such files."""

    def __init__(self, directory: Path) -> None:
        """Nothing is made before something is written."""
        self.directory = directory

    async def aside(self, work: Callable[..., T], *given: object) -> T:
        """Do what waits for the disk where it holds up nobody else."""
        return await asyncio.to_thread(work, *given)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other writers out. Raises `ArchiveBusyError` where one is at it."""
        make_private_directory(self.directory)
        with (self.directory / LOCK).open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ArchiveBusyError(self.directory) from None
            yield

    def put(self, name: str, documents: Iterable[Document]) -> int:
        """Write a file, and see that it can be read; gives its bytes."""
        part = self.directory / f".{name}{PART}"
        lines = [it.line() for it in documents]
        try:
            self.write_part(part, lines)
            _see_that_it_reads(part, lines)
            self.publish(part, self.directory / name)
        except OSError:  # of a disk that is full, others need the room
            part.unlink(missing_ok=True)
            raise
        return (self.directory / name).stat().st_size

    def write_part(self, part: Path, lines: Iterable[bytes]) -> None:
        """Write to the disk what nobody takes for a file of ours yet."""
        made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, OWNER_ONLY_FILE)
        with os.fdopen(made, "wb") as raw:
            with gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed:
                for line in lines:
                    packed.write(line + b"\n")
            raw.flush()
            os.fsync(raw.fileno())

    def publish(self, part: Path, path: Path) -> None:
        """Give it its name, for good."""
        part.replace(path)
        _sync_directory(self.directory)

    def remove(self, name: str) -> None:
        """Take a file away; harmless where it is not there."""
        with suppress(FileNotFoundError):
            (self.directory / name).unlink()
        _sync_directory(self.directory)

    def read(self, name: str) -> list[Document]:
        """Read a whole file. Raises `OSError`, and `ValueError` where it is not one of ours."""
        return [Document.read(line) for line in _lines(self.directory / name)]

    def find(self, name: str, order_id: str) -> Document | None:
        """Read one order out of a file. Raises as `read` does."""
        begins = b'{"order":"%s"' % order_id.encode()
        found = (line for line in _lines(self.directory / name) if line.startswith(begins))
        return next(map(Document.read, found), None)

    def names(self, beginning: str = PREFIX) -> list[str]:
        """Name the files, those that begin so."""
        return sorted(it.name for it in self.directory.glob(f"{beginning}*{SUFFIX}"))

    def remove_parts(self) -> None:
        """Take away what was being written by whoever was broken off."""
        for part in self.directory.glob(f".{PREFIX}*{PART}"):
            part.unlink(missing_ok=True)


def shelf_of(settings: Settings) -> Shelf | None:
    """Give the directory that the settings name; None: none."""
    return Shelf(Path(settings.archive)) if settings.archive else None


def name_of(first: str, last: str, tag: str) -> str:
    """Name the file of a page; `tag` tells it from what was written of the same page before."""
    return f"{beginning_of(first, last)}{tag}{SUFFIX}"


def beginning_of(first: str, last: str) -> str:
    """Give how all names of a page begin."""
    return f"{PREFIX}{first}-{last}-"


def same_page(name: str) -> str:
    """Give how all names begin of the page that this file is of."""
    return name[: name.rindex("-") + 1]


def _see_that_it_reads(path: Path, lines: Iterable[bytes]) -> None:
    if [*_lines(path)] != [*lines]:
        raise OSError(0, "what was written reads otherwise", str(path))


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path, "rb") as packed:
            for line in packed:
                yield line.rstrip(b"\n")
    except (EOFError, zlib.error) as error:  # as a disk or a copy that broke off leaves it
        raise gzip.BadGzipFile(f"{DAMAGED}: {error}") from error


def _sync_directory(directory: Path) -> None:
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
