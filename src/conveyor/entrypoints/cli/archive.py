"""`conveyor archive`: settled orders go into files, and out of the database."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.bulk import whole
from conveyor.entrypoints.cli.options import (
    archive_option,
    json_option,
    run,
    why_option,
    with_target,
)
from conveyor.entrypoints.cli.output import counted, emit, note, say, table

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target
    from conveyor.entrypoints.client import Client

RATE = 500.0
"""Orders a second: half of what an idle machine can do, so that others get theirs."""
PAGE, MOST = 200, 1_000
NAMED = 5
LINE_SECONDS = 5.0
MIB = 1 << 20


@dataclass(slots=True)
class _Run:
    """How far it is: orders, and those that must stay by why."""

    dry: bool
    archived: int = 0
    bytes: int = 0
    files: list[str] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    complete: bool = False
    begun: bool = False

    def add(self, page: Json) -> str | None:
        """Count in a page; gives where the next begins."""
        self.begun = True
        self.archived += page["archived"]
        self.bytes += page["bytes"]
        self.files += [page["file"]] if page["file"] else []
        self.kept.update(page["kept"])
        for why, some in page["examples"].items():
            named = self.examples.setdefault(why, [])
            named += some[: NAMED - len(named)]
        after: str | None = page["next"]
        self.complete = after is None
        return after

    def as_json(self) -> dict[str, Any]:
        return {
            "dry_run": self.dry,
            "complete": self.complete,
            "archived": self.archived,
            "kept": dict(self.kept),
            "examples": self.examples,
            "files": self.files,
            "bytes": self.bytes,
        }


@click.command()
@click.option("--before", required=True, metavar="DAY", help="Orders that settled before this day.")
@archive_option
@click.option("--dry-run", "dry", is_flag=True, help="Only say what would be done.")
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    default=RATE,
    show_default=True,
    metavar="N",
    help="Orders a second at most.",
)
@click.option(
    "--page",
    type=click.IntRange(1, MOST),
    default=PAGE,
    show_default=True,
    metavar="N",
    help="Orders a file, and a transaction.",
)
@why_option
@with_target
@json_option
def archive(
    *,
    before: str,
    archive: Path | None,
    dry: bool,
    rate: float,
    page: int,
    why: str,
    target: Target,
    as_json: bool,
) -> None:
    """Move settled orders into files, and out of the database.

    DAY is as 2026-01-01, in UTC. An order goes with all that is kept of it, if nothing about it is
    open: what must stay is counted, with why. Files are JSON Lines, packed with gzip. `explain` and
    `orders show` tell of archived orders as before, where they find the directory; lists and
    summaries do not. Ctrl-C stops after the page under way; the same command goes on.
    """
    doing = _Run(dry)
    body = {"before": before, "orders": page, "dry_run": dry}
    try:
        run(_archive(replace(target, archive=archive), doing, body, rate, why))
    except KeyboardInterrupt:
        if doing.begun:
            emit(doing.as_json(), as_json=as_json, show=lambda _: _show(doing))
            note("Stopped. The same command goes on with the rest.")
        raise
    emit(doing.as_json(), as_json=as_json, show=lambda _: _show(doing))


async def _archive(
    target: Target, doing: _Run, body: dict[str, Any], rate: float, why: str
) -> None:
    async with target.client() as client:
        after: str | None = ""
        due = said_at = time.monotonic()
        while after is not None:
            await asyncio.sleep(due - time.monotonic())
            before = doing.archived
            after = await whole(_page(client, doing, body | {"after": after or None}, why))
            due = time.monotonic() + (0 if doing.dry else (doing.archived - before) / rate)
            if time.monotonic() - said_at > LINE_SECONDS:
                said_at = time.monotonic()
                note(f"{counted(doing.archived, 'order')} {_done(doing)}")


async def _page(client: Client, doing: _Run, body: dict[str, Any], why: str) -> str | None:
    return doing.add(await client.post("/v1/archive", body, why=why))


def _done(doing: _Run) -> str:
    return "would be archived" if doing.dry else "archived"


def _show(doing: _Run) -> None:
    size = f", {doing.bytes / MIB:,.1f} MiB in {counted(len(doing.files), 'file')}"
    said = f"{counted(doing.archived, 'order')} {_done(doing)}"
    say(f"{said}{size if doing.files else ''}.")
    if doing.kept:
        say("These are at their end, and must stay:")
        rows = [
            (f"{count:,}", why, " ".join(doing.examples.get(why, ())))
            for why, count in doing.kept.most_common()
        ]
        table(("orders", "each", "such as"), rows, right=("orders",), spare="such as")
