"""Settled orders go into files, and out of the database: written before they are deleted."""

from __future__ import annotations

from conveyor.operations.archive.archiver import Archiver, Moved, Wanted, archiver_of
from conveyor.operations.archive.reading import Record, find_record, list_archived
from conveyor.operations.archive.shelf import (
    ArchiveBusyError,
    ArchiveMissingError,
    ArchiveUnnamedError,
    Shelf,
    shelf_of,
)

__all__ = [
    "ArchiveBusyError",
    "ArchiveMissingError",
    "ArchiveUnnamedError",
    "Archiver",
    "Moved",
    "Record",
    "Shelf",
    "Wanted",
    "archiver_of",
    "find_record",
    "list_archived",
    "shelf_of",
]
