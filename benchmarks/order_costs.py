"""What one order asks of the database and of Python: figures that no machine's speed changes much.

Rates say what this machine does; these say what another would, and which limit it would meet first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from benchmarks.cdnow import write_orders
from benchmarks.deployment import Deployment
from benchmarks.processes import TICKS_A_SECOND
from benchmarks.section import Section
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes
from tests.servers.postgres import Postgres, postgres_server

from conveyor.adapters.postgres.creation import beside

COUNTED = (
    "shared_preload_libraries=pg_stat_statements",
    "pg_stat_statements.track_planning=on",
    "pg_stat_statements.max=10000",
)
WARM = 500
"""Orders that are placed first: what each process does once is nobody's cost."""


@dataclass(frozen=True)
class Way:
    """How orders come: so many on their way at a time, of all that are to be placed a part."""

    settings: Mapping[str, str] = field(default_factory=dict)
    at_a_time: int = 2_000
    part: int = 1


AT_ONCE = {"CONVEYOR_DELIVERY_DELAY_SECONDS": "0"}
WAYS = {
    "many at once": Way(),
    "many at once, each step by its queue": Way({"CONVEYOR_RIDE_ON": "0"}),
    "twenty at a time": Way(AT_ONCE, at_a_time=20, part=4),
    "one after the other": Way(AT_ONCE, at_a_time=1, part=20),
}
COLUMNS = (
    "an order of the shop",
    "statements",
    "rows",
    "transactions",
    "WAL, bytes",
    "database, ms of the processor",
    "Python, ms of the processor",
    "table, bytes",
    "indexes, bytes",
)
_STATEMENTS = """
SELECT coalesce(sum(s.calls), 0)::float, coalesce(sum(s.rows), 0)::float
FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
WHERE d.datname = %s AND s.query !~* '^(begin|commit|rollback|set|discard)'
"""
_COMMITS = "SELECT xact_commit::float FROM pg_stat_database WHERE datname = %s"
_WAL = "SELECT wal_bytes::float FROM pg_stat_wal"
_SIZES = """
SELECT coalesce(sum(pg_table_size(relid)), 0)::float,
    coalesce(sum(pg_indexes_size(relid)), 0)::float
FROM pg_stat_user_tables
"""


@dataclass(frozen=True)
class Reading:
    """Counters of one database at one moment; WAL and processor time are the whole server's."""

    statements: float
    rows: float
    commits: float
    wal: float
    processor: float
    table: float
    indexes: float

    def since(self, before: "Reading", orders: int) -> list[float]:
        """Give what an order took, between two readings."""
        ours, theirs = vars(self), vars(before)
        return [(ours[name] - theirs[name]) / orders for name in ours]


def measure_order_costs(_servers: Servers, sizes: Sizes) -> Section:
    """Count it on PostgreSQL, one process of all services beside it."""
    rows: list[list[object]] = []
    runs = {}
    with postgres_server(more=COUNTED) as postgres:
        for name, way in WAYS.items():
            for whose, figures in _costs(postgres, sizes.costed // way.part, way).items():
                shown = (f"{figure:,.{1 if figure >= 1 else 2}f}" for figure in figures)
                rows.append([f"{name}: {whose}", *shown])
                runs[f"{name}: {whose}"] = figures
    note = (
        "The simulated provider and carrier keep books of their own in another database. WAL and "
        "processor time are told once, for all. Python's does not contain the start of its process."
    )
    return Section("What an order costs", COLUMNS, rows, [], [note], runs)


def _costs(postgres: Postgres, count: int, way: Way) -> dict[str, list[float]]:
    url = postgres.fresh_database()
    with TemporaryDirectory(prefix="conveyor-costs-") as name:
        home = Path(name)
        deployment = Deployment(home / "data", url, more=way.settings)
        deployment.prepare()
        deployment.replay(write_orders(home / "warm.jsonl", WARM))
        _, idle = deployment.replay(write_orders(home / "one.jsonl", 1, first=1))
        orders = write_orders(home / "orders.jsonl", count, first=2)
        both = {"ours": url, "simulated": beside(url, "_simulated")}
        before = {whose: _read(postgres, it) for whose, it in both.items()}
        _, process = deployment.replay(orders, "--concurrency", way.at_a_time)
        after = {whose: _read(postgres, it) for whose, it in both.items()}
    python = (process.cpu_seconds() - idle.cpu_seconds()) * 1_000 / count
    figures = {whose: after[whose].since(before[whose], count) for whose in both}
    statements, rows, commits, _, _, table, indexes = figures["simulated"]
    return {
        "ours": [*figures["ours"][:5], python, *figures["ours"][5:]],
        "simulated": [statements, rows, commits, 0.0, 0.0, 0.0, table, indexes],
    }


def _read(postgres: Postgres, url: str) -> Reading:
    name = url.rpartition("/")[2]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        connection.execute("SELECT pg_stat_force_next_flush()")

        def ask(query: str, *given: str) -> tuple[float, ...]:
            return connection.execute(query.encode(), given).fetchone() or ()

        statements, rows = ask(_STATEMENTS, name)
        (commits,), (wal,), (table, indexes) = ask(_COMMITS, name), ask(_WAL), ask(_SIZES)
        return Reading(statements, rows, commits, wal, _processor(postgres.pid), table, indexes)


def _processor(pid: int) -> float:
    """Give the milliseconds of a server and all its processes, those that have ended too."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    total = 0
    for each in (str(pid), *children):
        stat = Path(f"/proc/{each}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        total += sum(map(int, stat[11:15] if each == str(pid) else stat[11:13]))
    return total / TICKS_A_SECOND * 1_000
