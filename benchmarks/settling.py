"""How long an order takes from placed to settled where few orders come, on PostgreSQL and SQS.

Twenty a second, by `serve` and `work all`; in turns with orders that ride on from step to step in
the process that serves the next one, and with a message for each step.
"""

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import uvloop
from benchmarks.cdnow import bodies
from benchmarks.deployment import Deployment
from benchmarks.open_loop import Crowd
from benchmarks.section import Section, at_most
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes
from tests.cli.driver import until

RATE = 20.0
A_THIRD = 1 / 3
BODIES = 1_000
BY_MESSAGES, RIDING = "a message for each step", "orders ride on"
WAYS = {BY_MESSAGES: {"CONVEYOR_RIDE_ON": "0"}, RIDING: {}}
COLUMNS = ("how", "orders", "p50 ms", "p99 ms")
_TIMES = (
    "SELECT percentile_disc(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY settled_at - placed_at) "
    "FROM orders"
)
_OPEN = "SELECT count(*) FROM orders WHERE settled_at IS NULL"


def measure_settling(servers: Servers, sizes: Sizes) -> Section:
    """Offer the same to each, in turns."""
    runs: dict[str, list[dict[str, Any]]] = {how: [] for how in WAYS}
    for _ in range(sizes.rounds):
        for how, more in WAYS.items():
            runs[how].append(_run(servers, sizes.settling_seconds, more))
    rows = [
        (how, *(median(run[it] for run in of) for it in COLUMNS[1:])) for how, of in runs.items()
    ]
    by_messages, riding = (median(run["p50 ms"] for run in runs[how]) for how in WAYS)
    ratio = riding / by_messages
    target = at_most(f"time from placed to settled, {RIDING} : {BY_MESSAGES}", ratio, A_THIRD)
    note = f"{RATE:g} orders a second; the simulated carrier delivers at once."
    return Section("From placed to settled", COLUMNS, rows, [target], [note], runs=runs)


def _run(servers: Servers, seconds: float, more: dict[str, str]) -> dict[str, Any]:
    with (
        servers.database() as database,
        servers.queues() as endpoint,
        TemporaryDirectory(prefix="conveyor-settling-") as name,
    ):
        deployment = Deployment(Path(name), database, endpoint, more)
        deployment.prepare()
        key = deployment.run("keys", "create")["key"]
        with deployment.start("work", "all"), deployment.start("serve", "--port", 0) as (ready, _):
            crowd = Crowd(ready["url"], key, bodies(BODIES))
            offered = uvloop.run(crowd.offer(RATE, seconds, "settling"))
            with psycopg.connect(database, autocommit=True) as connection:
                until(lambda: not connection.execute(_OPEN).fetchall()[0][0])
                p50, p99 = connection.execute(_TIMES).fetchall()[0][0]
    return dict(zip(COLUMNS[1:], (len(offered.ids), p50, p99), strict=True))
