"""Whether the tables are those that this version needs."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.adapters.migrations import HEAD, revision_of
from conveyor.app.doctor.findings import Finding, failure, fine
from conveyor.messaging.transaction import Tx

CHECK = "database"
SUBJECT = "migrations"


def schema(tx: Tx) -> tuple[bool, list[Finding]]:
    """Give whether the tables can be read by this version, and what is to be said of them."""
    revision = revision_of(tx)
    if revision is None:
        return False, [failure(CHECK, SUBJECT, "the database is empty", MIGRATE)]
    if revision != HEAD:
        # Ours are numbered: what is not below ours was made by a version that this one is not.
        behind = revision.isdigit() and int(revision) < int(HEAD)
        says = f"it is at {revision}, this version needs {HEAD}"
        todo = MIGRATE if behind else "run the version that migrated it, or a newer one"
        return False, [failure(CHECK, SUBJECT, f"{says}: {_side(behind=behind)}", todo)]
    if missing := _missing(tx):
        says = f"at {revision}, but without {', '.join(missing)}"
        return False, [failure(CHECK, SUBJECT, says, "restore the database from a backup")]
    if tx.dialect == "postgresql" and (refused := _refused(tx)):
        says = f"this role may not read and write {', '.join(refused)}"
        todo = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ... to it"
        return True, [failure(CHECK, "rights", says, todo)]
    return True, [fine(CHECK, SUBJECT, f"up to date ({revision})")]


def _side(*, behind: bool) -> str:
    return "behind" if behind else "ahead"


def _missing(tx: Tx) -> list[str]:
    from conveyor.adapters.migrations.target import metadata

    return sorted(metadata.tables.keys() - set(sa.inspect(tx.connection).get_table_names()))


def _refused(tx: Tx) -> list[str]:
    return list(tx.execute(_REFUSED).scalars())


MIGRATE = "run `conveyor migrate`"
_REFUSED = sa.text(
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = "
    "(SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND NOT ("
    "has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT') AND "
    "has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE')) "
    "AND relname <> 'alembic_version' ORDER BY relname"
)
