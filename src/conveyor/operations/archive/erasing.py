"""What is personal of a customer is taken out of the archive: its files are written anew.

The new file is on disk before the database names it, and only then is the old one taken away. What
a run has left that was broken off in between, the next one takes away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Any

import orjson

from conveyor.commerce.orders.placement import fingerprint_of
from conveyor.commerce.orders.store import idempotency, set_fingerprint
from conveyor.core import operator_actions
from conveyor.core.actor import Actor
from conveyor.core.archive_drafts import announce_file
from conveyor.core.archived import Archived, of_customer, replace_file
from conveyor.core.personal import Personal, hidden
from conveyor.core.tables import calls, orders, timeline
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.core.untyped import Json
from conveyor.extension import Extension, Kept
from conveyor.extension.extension import no_traces
from conveyor.extension.hooks import as_they_are
from conveyor.operations.archive.archiver import TAG_LETTERS
from conveyor.operations.archive.documents import Document
from conveyor.operations.archive.leftovers import remove_leftovers
from conveyor.operations.archive.shelf import (
    SUFFIX,
    ArchiveBusyError,
    ArchiveUnnamedError,
    Shelf,
    same_page,
    shelf_of,
)
from conveyor.system.composition import App

Rows = dict[str, list[dict[str, Any]]]


@dataclass(slots=True)
class Erased:
    """Archived orders of which it was erased now, or `before`; and what could not be."""

    orders: int = 0
    before: int = 0
    kept: list[Kept] = field(default_factory=list)


async def erase_archived(app: App, merchant: str, customer: str, by: Actor) -> Erased:
    """Erase it, file after file; and what a broken run has left, which may tell of them too."""
    done = Erased()
    found = await app.parts.database.read(lambda tx: of_customer(tx, merchant, customer))
    by_page = sorted(found, key=lambda it: (it.page, it.order_id))
    for _, them in groupby(by_page, key=lambda it: it.page):
        page = list(them)
        try:
            await _erase_page(app, page, customer, by, done)
        except ArchiveUnnamedError:
            done.kept.append(_kept(page, "and CONVEYOR_ARCHIVE names no directory here"))
        except ArchiveBusyError as error:
            done.kept.append(_kept(page, f"and {error}"))
        except (OSError, ValueError) as error:
            done.kept.append(_kept(page, f"and cannot be written anew here: {_why(error)}"))
    await _take_leftovers_away(app, done)
    return done


async def _take_leftovers_away(app: App, done: Erased) -> None:
    shelf = shelf_of(app.settings)
    if shelf is None or not shelf.directory.is_dir():
        return
    # Whoever archives now deletes nothing that was changed meanwhile, and takes its file back.
    try:
        with suppress(ArchiveBusyError), shelf.locked():
            await remove_leftovers(app.parts.database, shelf)
    except OSError as error:
        why = "may have files that a broken run has left, and cannot be written here"
        done.kept.append(Kept("archive", f"{why}: {_why(error)}"))


def _why(error: Exception) -> object:
    """Say it without the path: a merchant is not told where files are."""
    return (isinstance(error, OSError) and error.strerror) or error


async def _erase_page(
    app: App, page: Sequence[Archived], customer: str, by: Actor, done: Erased
) -> None:
    shelf = shelf_of(app.settings)
    if shelf is None:
        raise ArchiveUnnamedError
    with shelf.locked():
        old = page[0].file
        documents = await shelf.aside(shelf.read, old)
        theirs = {it.order_id for it in page}
        if not theirs <= {it.order_id for it in documents}:
            raise OSError(0, "it does not have all of its orders", old)
        eraser = _Eraser(app.engine.registry.personal, app.installed.extensions, by.facts)
        now = app.parts.ambient.now_ms()
        changed = [eraser.erased(it, now) if it.order_id in theirs else it for it in documents]
        if eraser.orders:
            new = _Anew(page[0], app.parts.ambient.new_id()[-TAG_LETTERS:], changed, eraser.orders)
            await _replace(app, shelf, new, partial(_note, who=customer, by=by, now_ms=now))
        done.orders += len(eraser.orders)
        done.before += eraser.before
        done.kept += [Kept(f"order {it}", eraser.missing) for it in eraser.not_installed]
        # Also what a run left that was broken off before it took the old file away.
        await remove_leftovers(app.parts.database, shelf, same_page(old))


@dataclass(frozen=True, slots=True)
class _Anew:
    """A page that is to be written anew, of which these orders were `erased`."""

    at: Archived
    tag: str
    documents: Sequence[Document]
    erased: Collection[str]

    @property
    def file(self) -> str:
        return f"{same_page(self.at.file)}{self.tag}{SUFFIX}"

    @property
    def keys(self) -> Iterator[tuple[str, str, str]]:
        """Give the merchant, key and fingerprint of those of its orders."""
        theirs = (it for it in self.documents if it.order_id in self.erased)
        for row in (row for it in theirs for row in it.rows.get(idempotency.name, ())):
            yield row["merchant"], row["key"], row["fingerprint"]


async def _replace(app: App, shelf: Shelf, new: _Anew, note: Callable[[Tx, _Anew], None]) -> None:
    await app.parts.database.run(lambda tx: announce_file(tx, new.file))
    await shelf.aside(shelf.put, new.file, new.documents)

    def settle(tx: Tx) -> bool:
        if not replace_file(tx, new.at.page, new.at.file, new.file):
            return False
        for merchant, key, fingerprint in new.keys:
            set_fingerprint(tx, merchant, key, fingerprint)
        note(tx, new)
        return True

    if not await app.parts.database.run(settle):
        shelf.remove(new.file)
        raise OSError(0, "somebody else wrote it anew meanwhile; ask again", new.at.file)


def _note(tx: Tx, new: _Anew, who: str, by: Actor, now_ms: int) -> None:
    detail = {"orders": len(new.erased), "kept": 0, "file": new.file}
    operator_actions.note(tx, by, "customers.erase", now_ms, subject=who, detail=detail)


def _kept(page: Sequence[Archived], why: str) -> Kept:
    count = len(page)
    orders_ = f"{count} order{'' if count == 1 else 's'}"
    return Kept(f"archive {page[0].file}", f"has {orders_} of theirs, {why}")


class _Eraser:
    """Does so with one document after the other, and keeps which ones it changed."""

    missing = "is of a flow that is not installed here"

    def __init__(
        self, personal: Personal, extensions: Sequence[Extension], said: Mapping[str, Any]
    ) -> None:
        self._personal = personal
        self._extensions = extensions
        self._said = orjson.dumps(said).decode() if said else ""
        self.orders: set[str] = set()
        self.before = 0
        self.not_installed: list[str] = []

    def erased(self, document: Document, now_ms: int) -> Document:
        """Give it without what is personal."""
        order = document.order
        left = self._personal.erased(order)
        if left is None:
            self.not_installed.append(order.id)
            return document
        if left == order.raw_body:
            self.before += 1
            return document
        self.orders.add(order.id)
        words = self._personal.texts(order)
        rows = {name: [dict(row) for row in them] for name, them in document.rows.items()}
        for row in rows[orders.name]:
            row["body"] = left
        for row in rows.get(calls.name, ()):
            row["request"] = ""
        for row in rows.get(idempotency.name, ()):
            row["fingerprint"] = fingerprint_of(left)
        self._tell(rows, order.id, order.version, now_ms, words)
        for extension in self._extensions:
            _forget(extension, rows)
        return replace(document, rows=rows, facts=_hidden(document.facts, words))

    def _tell(
        self, rows: Rows, order_id: str, version: int, now_ms: int, words: Collection[str]
    ) -> None:
        story = rows.setdefault(timeline.name, [])
        for row in story:
            if row["detail"] and row["event"] != TimelineEvent.PLACED:  # whose key is an id
                row["detail"] = hidden(row["detail"], words)
        story.append(
            {
                "id": max((row["id"] for row in story), default=0) + 1,
                "order_id": order_id,
                "version": version,
                "at": now_ms,
                "event": TimelineEvent.ERASED.value,
                "step": "",
                "attempt": 0,
                "detail": self._said,
            }
        )


def _hidden(value: Json, words: Collection[str]) -> Json:
    """Take these out of JSON values."""
    if isinstance(value, str):
        return hidden(value, words)
    if isinstance(value, list):
        return [_hidden(it, words) for it in value]
    if isinstance(value, dict):
        return {name: _hidden(it, words) for name, it in value.items()}
    return value


def _forget(extension: Extension, rows: Rows) -> None:
    """Let it take out what is personal in its own rows; without its word they go whole."""
    names = [table.name for table in extension.belongings if table.name in rows]
    theirs = {name: rows[name] for name in names}
    if extension.archiving.forget is as_they_are and extension.forget is not no_traces:
        for name in names:
            del rows[name]
    elif names:
        left = extension.archiving.forget(theirs)
        rows |= {name: [dict(row) for row in left.get(name, ())] for name in names}
