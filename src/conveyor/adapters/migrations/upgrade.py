"""Runs Alembic without an ini file, on a connection whose transaction has begun."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError

from conveyor.adapters.migrations import OURS, Revisions, UnknownRevisionError, revision_of
from conveyor.core.transaction import Tx

# Any number, as long as nobody else in the database takes it.
MIGRATION_LOCK = 7_040_112


def alembic_config(connection: sa.Connection, revisions: Revisions = OURS) -> Config:
    """Give the configuration for Alembic's commands."""
    config = Config()
    config.set_main_option("script_location", "conveyor.adapters:migrations")
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", str(revisions.versions))
    config.attributes["connection"] = connection
    config.attributes["revisions"] = revisions
    return config


def upgrade(tx: Tx, revisions: Revisions = OURS) -> list[str]:
    """Apply what is missing; gives the revisions, oldest first. Raises `UnknownRevisionError`."""
    if tx.dialect == "postgresql":
        _prepare_server(tx)
    config = alembic_config(tx.connection, revisions)
    before = revision_of(tx, revisions)
    try:
        script = ScriptDirectory.from_config(config)
        missing = [step.revision for step in script.iterate_revisions("head", before or "base")]
    except RevisionError as error:
        raise UnknownRevisionError(str(before), revisions.of) from error
    command.upgrade(config, "head")
    return missing[::-1]


def _prepare_server(tx: Tx) -> None:
    """Wait for other migrations and for long readers: the time-outs of daily work do not apply."""
    for setting in ("lock_timeout", "statement_timeout"):
        tx.execute(sa.text(f"SET LOCAL {setting} = 0"))
    tx.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
