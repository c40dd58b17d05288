"""What an order writes on PostgreSQL, by table: where the bytes of WAL go that it costs."""

import re
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from benchmarks.cdnow import write_orders
from benchmarks.deployment import Deployment
from benchmarks.order_costs import WARM
from benchmarks.section import Section
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes
from tests.servers.postgres import postgres_server

COLUMNS = ("table", "records", "bytes", "of these indexes", "and row locks")
OUTSIDE = "the simulated provider and carrier"
_HERE = "SELECT pg_current_wal_lsn()::text"
# Each record once, with its header, under the first block that it changes: few change two.
_RECORDS = """
SELECT coalesce(t.relname, c.relname), c.relkind::text = 'i', w.record_type LIKE '%%LOCK%%',
    count(*), sum(w.record_length)::int
FROM pg_get_wal_block_info(%s, %s, false) w
LEFT JOIN pg_class c ON c.relfilenode = w.relfilenode
    AND w.reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_class t ON t.oid = i.indrelid
WHERE w.block_id = 0
GROUP BY 1, 2, 3
"""


def measure_written(_servers: Servers, sizes: Sizes) -> Section:
    """Read the server's own log of what many orders at once have written."""
    with postgres_server() as postgres, TemporaryDirectory(prefix="conveyor-written-") as name:
        home, url = Path(name), postgres.fresh_database()
        deployment = Deployment(home / "data", url)
        deployment.prepare()
        deployment.replay(write_orders(home / "warm.jsonl", WARM))
        orders = write_orders(home / "orders.jsonl", sizes.costed, first=1)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION pg_walinspect")
            connection.execute("CHECKPOINT")  # the pages that come first are written whole after it
            begun = connection.execute(_HERE).fetchone()
            deployment.replay(orders)
            ended = connection.execute(_HERE).fetchone()
            assert begun
            assert ended
            found = connection.execute(_RECORDS, (begun[0], ended[0])).fetchall()
    by_table = _by_table(found, orders.count)
    rows = [
        (table, *(f"{it:,.1f}" for it in figures))
        for table, figures in sorted(by_table.items(), key=lambda it: -it[1][1])
    ]
    total = [sum(column) for column in zip(*by_table.values(), strict=True)]
    rows.append(("all", *(f"{it:,.1f}" for it in total)))
    note = "An order of the shop, many at once. Pages that are written whole count as records do."
    return Section("What an order writes", COLUMNS, rows, [], [note], by_table)


def _by_table(found: list[Any], orders: int) -> dict[str, list[float]]:
    """Add up, an order: records, bytes, those of indexes, those of row locks."""
    by_table: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0, 0.0])
    for name, is_index, is_lock, records, size in found:
        figures = by_table[re.sub(r"_\d{4}_\d{2}$", "", name) if name else OUTSIDE]
        figures[0] += records / orders
        figures[1] += size / orders
        figures[2] += size / orders if is_index else 0
        figures[3] += size / orders if is_lock else 0
    return dict(by_table)
