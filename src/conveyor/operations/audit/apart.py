"""The pages of a large database are looked at by processes of their own.

Python has as much of that work as the database: this way each processor does its part, and whoever
serves in the process that was asked does not wait for it. This module is what they run; they are
told what to do, and tell what they found, as JSON.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from pydantic import TypeAdapter

from conveyor.checks import Examined, Page
from conveyor.checks.finding import together
from conveyor.core.errors import ConveyorError
from conveyor.operations.audit.page_looks import Examinees, Found, look_here
from conveyor.operations.audit.side_by_side import side_by_side
from conveyor.system.backends import open_reading
from conveyor.system.installation import installation

PAGES_WORTH_IT = 10
"""A process takes most of a second to begin, in which it would have looked at some three pages."""
MOST_PROCESSES = 2


class ApartError(ConveyorError):
    """A process of ours did not do its part; it has said why. `status` is what it exited with."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"a process that was to look at pages ended with {status}")
        self.status = status


_EXAMINEES = TypeAdapter(Examinees)
_FOUND = TypeAdapter(Found)


def processes_for(pages: Sequence[Page]) -> int:
    """Give by how many processes these are best looked at; 0: by none but ours."""
    most = min(MOST_PROCESSES, os.cpu_count() or 1)
    return most if most > 1 and len(pages) >= PAGES_WORTH_IT else 0


async def look_apart(examinees: Examinees, processes: int) -> Found:
    """Let so many processes look, each at its share. Raises `ApartError`."""
    shares = [replace(examinees, pages=examinees.pages[at::processes]) for at in range(processes)]
    found: list[Found] = await side_by_side(*map(_ask, shares))
    statuses = sum((Counter(each.statuses) for each in found), Counter[str]())
    return Found(together(it for each in found for it in each.findings), statuses)


async def _ask(share: Examinees) -> Found:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"from {__name__} import answer; answer()"),
        stdin=PIPE,
        stdout=PIPE,
        # What we can import, it can: extensions are found there wherever they are found here.
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        told, _ = await process.communicate(_EXAMINEES.dump_json(share))
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise ApartError(process.returncode)
    return _FOUND.validate_json(told)


def answer() -> None:
    """Do what the process that began this one asks for."""
    found = asyncio.run(_look(_EXAMINEES.validate_json(sys.stdin.buffer.read())))
    sys.stdout.buffer.write(_FOUND.dump_json(found))


async def _look(share: Examinees) -> Found:
    database = open_reading(share.settings)
    try:
        return await look_here(installation(share.settings), Examined(database), share)
    finally:
        await database.close()
