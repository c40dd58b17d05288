"""Whether the indexes are there that this version declares, and can be used."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

from conveyor.core.tables import ONLY_ON
from conveyor.core.transaction import Tx
from conveyor.operations.doctor.findings import Finding, failure, fine, warning
from conveyor.system.installation import Installation
from conveyor.system.tables import tables_of

CHECK = "database"
SUBJECT = "indexes"

_ON_SQLITE = sa.text("SELECT name, 1 FROM sqlite_schema WHERE type = 'index'")
_ON_POSTGRESQL = sa.text(
    "SELECT c.relname, CASE WHEN i.indisvalid THEN 1 ELSE 0 END FROM pg_index i "
    "JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = "
    "(SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND NOT c.relispartition"
)


def indexes(tx: Tx, installed: Installation | None) -> Iterator[Finding]:
    """Name those that somebody dropped, and those that were never made to their end."""
    if installed is None:
        return
    query = _ON_SQLITE if tx.dialect == "sqlite" else _ON_POSTGRESQL
    there = {name: bool(valid) for name, valid in tx.execute(query)}
    wrong = [it for it in _declared(tx, installed) if not there.get(str(it.name))]
    for index in wrong:
        yield _missing(tx, index, made=str(index.name) in there)
    for name in sorted(name for name, valid in there.items() if not valid):
        if name not in {str(it.name) for it in wrong}:
            says = "it was not made to its end: each write pays for it, and nobody is served by it"
            yield warning(CHECK, f"index {name}", says, f"run REINDEX INDEX {name}, or drop it")
    if not wrong:
        yield fine(CHECK, SUBJECT, f"all are there: {len(there)}")


def _declared(tx: Tx, installed: Installation) -> Iterator[sa.Index]:
    tables = (it for metadata in tables_of(installed) for it in metadata.tables.values())
    for index in (index for table in tables for index in table.indexes):
        if index.info.get(ONLY_ON, tx.dialect) == tx.dialect:
            yield index


def _missing(tx: Tx, index: sa.Index, *, made: bool) -> Finding:
    dialect = tx.connection.dialect
    statement = " ".join(str(CreateIndex(index).compile(dialect=dialect)).split())
    todo = f"run REINDEX INDEX {index.name}" if made else statement
    table = index.table.name if index.table is not None else "its table"
    if index.unique:
        says = f"it is {_what(made=made)}: what it keeps apart in {table} may be there twice"
        return failure(CHECK, f"index {index.name}", says, todo)
    says = f"it is {_what(made=made)}: {table} is read whole where it served"
    return warning(CHECK, f"index {index.name}", says, todo)


def _what(*, made: bool) -> str:
    return "not made to its end" if made else "missing"
