"""The tables of all that ships with Conveyor."""

from conveyor.core.transaction import Tx
from conveyor.settings import Settings
from conveyor.system.installation import installation
from conveyor.system.tables import tables_of

TABLES = list(tables_of(installation(Settings())))


def create_tables(tx: Tx) -> None:
    """Create all that are missing."""
    for tables in TABLES:
        tables.create_all(tx.connection)
