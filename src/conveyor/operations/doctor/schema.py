"""Whether the tables are those that this version needs."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.adapters.migrations import OURS, Revisions, revision_of
from conveyor.core.transaction import Tx
from conveyor.operations.doctor.findings import Finding, failure, fine
from conveyor.system.installation import Installation
from conveyor.system.tables import revisions_of, tables_of

CHECK = "database"
SUBJECT = "migrations"


def schema(
    tx: Tx, installed: Installation | None, *, writes: bool = True
) -> tuple[bool, list[Finding]]:
    """Give whether the tables can be read by this version, and what is to be said of them.

    `installed`: None where that cannot be loaded; then it is our own tables that are looked at.
    Without `writes` it is enough that they can be read.
    """
    all_revisions = list(revisions_of(installed)) if installed else [OURS]
    at = {revisions.of: revision_of(tx, revisions) for revisions in all_revisions}
    if at[OURS.of] is None:
        return False, [failure(CHECK, SUBJECT, "the database is empty", MIGRATE)]
    wrong = [it for it in (_wrong(each, at[each.of]) for each in all_revisions) if it]
    if wrong:
        return False, wrong
    if installed and (missing := _missing(tx, installed)):
        says = f"at {at[OURS.of]}, but without {', '.join(missing)}"
        return False, [failure(CHECK, SUBJECT, says, "restore the database from a backup")]
    needs = READS + WRITES if writes else READS
    if tx.dialect == "postgresql" and (refused := _refused(tx, needs)):
        says = f"this role may not {'read and write' if writes else 'read'} {', '.join(refused)}"
        todo = f"GRANT {', '.join(needs)} ON ALL TABLES IN SCHEMA ... to it"
        return True, [failure(CHECK, "rights", says, todo)]
    told = ", ".join(f"{of} {revision}" for of, revision in at.items())
    return True, [fine(CHECK, SUBJECT, f"up to date ({told})")]


def _wrong(revisions: Revisions, revision: str | None) -> Finding | None:
    if revision == revisions.head:
        return None
    # They are numbered: what is not below ours was made by a version that this one is not.
    behind = revision is None or (revision.isdigit() and int(revision) < int(revisions.head))
    says = f"{revisions.of} is at {revision or 'nothing'}, this version needs {revisions.head}"
    todo = MIGRATE if behind else "run the version that migrated it, or a newer one"
    return failure(CHECK, SUBJECT, f"{says}: {_side(behind=behind)}", todo)


def _side(*, behind: bool) -> str:
    return "behind" if behind else "ahead"


def _missing(tx: Tx, installed: Installation) -> list[str]:
    declared = {name for tables in tables_of(installed) for name in tables.tables}
    return sorted(declared - set(sa.inspect(tx.connection).get_table_names()))


def _refused(tx: Tx, needs: tuple[str, ...]) -> list[str]:
    return [name for name, *has in tx.execute(_RIGHTS).all() if not all(has[: len(needs)])]


MIGRATE = "run `conveyor migrate`"
READS = ("SELECT",)
WRITES = ("INSERT", "UPDATE", "DELETE")
_RIGHTS = sa.text(
    "SELECT relname, has_table_privilege(oid, 'SELECT'), has_table_privilege(oid, 'INSERT'), "
    "has_table_privilege(oid, 'UPDATE'), has_table_privilege(oid, 'DELETE') "
    "FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = "
    "(SELECT oid FROM pg_namespace WHERE nspname = current_schema()) "
    # Who may use a table may use its partitions; what was detached is its owner's.
    "AND NOT relispartition AND relname NOT LIKE 'detached\\_%\\_%' "
    "AND relname NOT LIKE 'alembic_version%' ORDER BY relname"
)
