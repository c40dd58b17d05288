"""Where an order is that is in the archive."""

from __future__ import annotations

from conveyor.core.archived import Archived
from conveyor.core.rfc3339 import iso
from conveyor.entrypoints.http.schemas import ArchivedView


def archived_view(found: Archived | None) -> ArchivedView | None:
    """Show it; None: it is in the database."""
    if found is None:
        return None
    return ArchivedView(id=found.order_id, archived_at=iso(found.archived_at), file=found.file)
