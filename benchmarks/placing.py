"""How long a customer waits for the answer to an order, at half of what the system can take.

Which rate is full? That of the same server when orders come over HTTP as fast as it settles them
(the client takes its share of the machine), and, faster, that of the embedded replay, without HTTP.
Half of either is offered.
"""

import json
import urllib.request
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop
from benchmarks.cdnow import bodies, write_orders
from benchmarks.deployment import Deployment
from benchmarks.open_loop import Crowd, Offered, summary
from benchmarks.processes import run_module
from benchmarks.section import Section, below
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes

PLACED_MS = 10.0
HALF = 0.5
BODIES = 1_000
COLUMNS = (
    "full rate",
    "orders/s",
    "offered/s",
    "placed",
    "p50 ms",
    "p99 ms",
    "longest ms",
    "open at the end",
)


def measure_placing(_: Servers, sizes: Sizes) -> Section:
    """Offer both rates to a server that runs everything."""
    count = sizes.placing_full_rate
    embedded = run_module("benchmarks.conveyor_runs", "--orders", count)["orders_per_second"]
    with TemporaryDirectory(prefix="conveyor-placing-") as name:
        deployment = Deployment(Path(name) / "data")
        deployment.prepare()
        with deployment.start("up", "--port", 0) as (ready, _up):
            orders = write_orders(Path(name) / "orders.jsonl", count)
            over_http = deployment.replay(orders)[0]["orders_per_second"]
            rates = {"replay over HTTP": over_http, "embedded replay": embedded}
            runs = [
                _offer(ready, full, sizes.placing_seconds, what) for what, full in rates.items()
            ]
        deployment.audit()
    rows = [tuple(run.values()) for run in runs]
    targets = [
        below(
            f"median ms to place, at half the rate of {run['full rate']}", run["p50 ms"], PLACED_MS
        )
        for run in runs
    ]
    return Section("Placing over HTTP", COLUMNS, rows, targets, runs=runs)


def _offer(ready: Any, full: float, seconds: float, what: str) -> dict[str, Any]:  # noqa: ANN401 - JSON
    crowd = Crowd(ready["url"], ready["first_key"], bodies(BODIES))
    rate = full * HALF
    offered: Offered = uvloop.run(crowd.offer(rate, seconds, what.replace(" ", "-")))
    still_open = _still_open(ready)
    accepted = offered.count(HTTPStatus.ACCEPTED)
    assert list(offered.times) == [HTTPStatus.ACCEPTED], summary(offered)["statuses"]
    figures = (
        what,
        full,
        round(rate),
        accepted,
        *(round(offered.quantile(part, HTTPStatus.ACCEPTED), 2) for part in (0.5, 0.99, 1)),
        still_open,
    )
    return dict(zip(COLUMNS, figures, strict=True))


def _still_open(ready: Any) -> int:  # noqa: ANN401 - JSON
    """Count the orders that are not settled yet: a server that keeps up has few of them."""
    headers = {"authorization": f"Bearer {ready['first_key']}"}
    request = urllib.request.Request(f"{ready['url']}/v1/summary", headers=headers)
    with urllib.request.urlopen(request) as answer:
        return int(json.load(answer)["open"])
