"""Writes a revision: `python -m conveyor.adapters.migrations "what it does"`.

It holds what brings a database at the last revision to the tables as they are declared now. Read
it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import sqlalchemy as sa
from alembic import command

from conveyor.adapters.migrations.upgrade import alembic_config, upgrade
from conveyor.messaging.transaction import Tx

VERSIONS = Path(__file__).with_name("versions")


def write_revision(message: str) -> None:
    """Compare the tables with a fresh database at the last revision, and write the difference."""
    number = 1 + len(list(VERSIONS.glob("[0-9]*.py")))
    with sa.create_engine("sqlite://").begin() as connection:
        if number > 1:
            upgrade(Tx(connection))
        config = alembic_config(connection)
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")


if __name__ == "__main__":
    write_revision(sys.argv[1])
