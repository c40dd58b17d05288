"""Whether orders to come have a month of their own on PostgreSQL, and those that came have."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from conveyor.adapters.postgres import months
from conveyor.core.months import Month
from conveyor.core.transaction import Tx
from conveyor.operations.doctor.findings import Finding, fine, warning
from conveyor.operations.months import misplaced
from conveyor.system.months import ahead

CHECK = "database"
SUBJECT = "months"


def kept_by_month(tx: Tx, now_ms: Callable[[], int]) -> Iterator[Finding]:
    """Look at the months to come, and at what no month covers."""
    wanted = ahead(now_ms())
    lacking = sorted({month for _, month in months.missing(months.partitions(tx), wanted)})
    if not lacking:
        yield fine(CHECK, SUBJECT, f"made until {wanted[-1].name}")
    elif lacking[0] in wanted[:2]:
        yield warning(CHECK, SUBJECT, f"{_named(lacking)} not made{_why(tx)}", MIGRATE)
    else:
        yield fine(CHECK, SUBJECT, f"made, but for {_named(lacking)}{_why(tx)}")
    for table, month, rows in misplaced(tx):
        of = f"of {month.name}" if month else "of no month, for their orders' ids are none of ours"
        says = f"{table}_default holds {_counted(rows)} {of}"
        yield warning(CHECK, "default partition", says, MOVE if month else LEAVE)


def _named(lacking: list[Month]) -> str:
    return ", ".join(month.name for month in lacking)


def _counted(rows: int) -> str:
    if rows == months.MOST:
        return f"{rows:,} rows or more"
    return f"{rows:,} rows" if rows > 1 else "1 row"


def _why(tx: Tx) -> str:
    return "" if months.may_make(tx) else ": this role may not"


MIGRATE = "run `conveyor migrate` as the owner of the tables"
MOVE = "run `conveyor months make` as the owner of the tables: it cannot be detached from there"
LEAVE = "see where they come from; they stay there"
