"""Writes a revision of the tables that flows share: `python -m conveyor.adapters.migrations "..."`.

It holds what brings a database at the last revision to the tables as they are declared now. Read
it.
"""

from __future__ import annotations

import sys

import sqlalchemy as sa
from alembic import command

from conveyor.adapters.migrations import OURS
from conveyor.adapters.migrations.target import metadata
from conveyor.adapters.migrations.upgrade import alembic_config, upgrade
from conveyor.core.transaction import Tx


def write_revision(message: str) -> None:
    """Compare the tables with a fresh database at the last revision, and write the difference."""
    number = 1 + int(OURS.head or 0)
    with sa.create_engine("sqlite://").begin() as connection:
        if number > 1:
            upgrade(Tx(connection))
        config = alembic_config(connection)
        config.attributes["declared"] = metadata
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")


if __name__ == "__main__":
    write_revision(sys.argv[1])
