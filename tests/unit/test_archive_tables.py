"""Whatever is kept of an order is known to the archive: a new table must say what becomes of it."""

from conveyor.adapters.migrations.target import metadata
from conveyor.operations.archive.documents import COPIED, EMPTY, LEFT, MOVED


def test_each_table_of_orders_says_what_becomes_of_it() -> None:
    about_orders = {it.name for it in metadata.tables.values() if "order_id" in it.c}
    known = {it.name for it in (*MOVED, *COPIED, *LEFT, *EMPTY)} - {"orders"}
    assert known == about_orders, (
        "a table with an order_id goes into the archive, stays, or must be empty: name it in "
        "operations/archive/documents.py, and what must not go while it is open in holding.py"
    )
