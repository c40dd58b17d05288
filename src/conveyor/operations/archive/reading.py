"""An archived order, read from its file."""

from __future__ import annotations

from dataclasses import dataclass, fields

from conveyor.commerce.payments.model import Payment
from conveyor.commerce.payments.store import payments
from conveyor.core.archived import Archived, archived_as, listed
from conveyor.core.attempts import Attempt
from conveyor.core.call_state import CallState
from conveyor.core.order import Order
from conveyor.core.tables import calls, timeline
from conveyor.core.timeline import Entry
from conveyor.core.timeline_event import TimelineEvent
from conveyor.extension import Fact
from conveyor.operations.archive.documents import Document
from conveyor.operations.archive.shelf import ArchiveMissingError, Shelf, shelf_of
from conveyor.system.composition import App


@dataclass(frozen=True, slots=True)
class Record:
    """All that was kept of an order, as the database would give it; `at` says where it is."""

    at: Archived
    document: Document

    @property
    def order(self) -> Order:
        """Give the order itself."""
        return self.document.order

    @property
    def entries(self) -> list[Entry]:
        """Give its timeline, oldest first."""
        rows = self.document.rows.get(timeline.name, ())
        known = ({name: row[name] for name in _ENTRY} for row in rows)
        return [Entry(**it | {"event": TimelineEvent(it["event"])}) for it in known]

    @property
    def calls(self) -> list[Attempt]:
        """Give all attempts to call somebody, in the order in which they were begun."""
        rows = self.document.rows.get(calls.name, ())
        found = [Attempt(**row | {"state": CallState(row["state"])}) for row in rows]
        return sorted(found, key=lambda it: (it.intended_at, it.step, it.attempt))

    @property
    def payment(self) -> Payment | None:
        """Give its money; None: nothing was ever authorized."""
        rows = self.document.rows.get(payments.name, ())
        return next((Payment(**{name: row[name] for name in _PAYMENT}) for row in rows), None)

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Give what its flow told of it when it was archived."""
        return tuple(Fact(**it) for it in self.document.facts)


_PAYMENT = tuple(it.name for it in fields(Payment))
_ENTRY = tuple(it.name for it in fields(Entry))


async def find_record(app: App, order_id: str, merchant: str | None) -> Record | None:
    """Give an archived order; with a merchant, only if it is theirs. None: it is in no archive.

    Raises `ArchiveMissingError` where its file cannot be read here.
    """
    found = await app.parts.database.read(lambda tx: archived_as(tx, order_id, merchant))
    if found is None:
        return None
    return Record(found, await read_document(shelf_of(app.settings), found))


async def list_archived(app: App, reference: str | None, merchant: str | None) -> list[Archived]:
    """Give a merchant's newest archived orders, or everybody's: those of this reference, or all."""
    return await app.parts.database.read(lambda tx: listed(tx, reference, merchant))


async def read_document(shelf: Shelf | None, found: Archived) -> Document:
    """Read it. Raises `ArchiveMissingError`."""
    if shelf is None:
        raise ArchiveMissingError(found.order_id, found.file, None)
    try:
        document = await shelf.aside(shelf.find, found.file, found.order_id)
    except FileNotFoundError:
        raise ArchiveMissingError(found.order_id, found.file, shelf.directory) from None
    except (OSError, ValueError) as error:
        why = (isinstance(error, OSError) and error.strerror) or str(error)
        raise ArchiveMissingError(found.order_id, found.file, shelf.directory, why) from error
    if document is None:
        why = "it does not have this order"
        raise ArchiveMissingError(found.order_id, found.file, shelf.directory, why)
    return document
