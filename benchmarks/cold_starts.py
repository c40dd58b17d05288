"""How long functions take from nothing to their first answer, with the package alone on their path.

Lambda's runtime client starts, imports the handler, opens the system and answers: to an order
that is posted, to the message of one. What Lambda itself adds, such as fetching and unpacking the
package, is not in it.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.section import Section, below
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes
from tests.aws.deployment import MODULE, ORDER, Deployment, deployed, request_of
from tests.aws.event_source import arn_of, event_of, receive
from tests.aws.runtime import Function, lay_out
from tests.servers.ministack import ministack_server

from conveyor.entrypoints.aws_lambda.packaging import MOST_BYTES, build

BOUNDS = {"queue": 1.0, "api": 1.5}
"""Seconds, on two cores that nobody else wants."""
MEGABYTE = 1_000_000
COLUMNS = ("function", "processor, s", "median", "wall, s", "median", "invoked again, ms")

Events = Callable[[], Any]


def measure_cold_starts(servers: Servers, sizes: Sizes) -> Section:
    """Start each function a few times anew, and once more call the one that is then there."""
    with TemporaryDirectory(prefix="conveyor-functions-") as name, servers.database() as database:
        archive = Path(name) / "functions.zip"
        size = build(archive).bytes / MEGABYTE
        package = lay_out(archive, Path(name))
        with (
            ministack_server() as sqs,
            deployed(package, database, sqs.endpoint_url, "cold-") as deployment,
        ):
            runs = {
                module: [_start(deployment, module, events) for _ in range(sizes.starts)]
                for module, events in _events(deployment).items()
            }
    rows = [_row(module, of) for module, of in runs.items()]
    targets = [
        below(f"seconds, cold start of `{it}`", median(r["wall"] for r in runs[it]), bound)
        for it, bound in BOUNDS.items()
    ]
    targets.append(below("MB, package", size, MOST_BYTES / MEGABYTE))
    return Section("Functions: cold start", COLUMNS, rows, targets, runs=runs)


def _events(deployment: Deployment) -> dict[str, Events]:
    """Give what functions are called with: an order, and the message that comes of one."""
    posted = request_of("POST", "/v1/orders", deployment.key, ORDER)
    url, arn = deployment.url_of("payments"), arn_of(deployment.name_of("payments"))
    return {
        "api": lambda: posted,
        "queue": lambda: event_of(arn, receive(deployment.sqs, url, 1)),
    }


def _start(deployment: Deployment, module: str, events: Events) -> dict[str, float]:
    first, second = events(), events()
    handler = f"{MODULE}.{module}.handle"
    with Function(deployment.package, handler, deployment.environment) as function:
        begun = time.monotonic()
        assert not _failed(function.invoke(first))
        wall, processor = time.monotonic() - begun, function.processor_seconds()
        again = time.monotonic()
        assert not _failed(function.invoke(second))
        again = time.monotonic() - again
    return {"wall": wall, "processor": processor, "again": again}


def _failed(answer: dict[str, Any]) -> bool:
    return bool(answer.get("batchItemFailures")) or answer.get("statusCode", 202) != 202


def _row(module: str, runs: list[dict[str, float]]) -> tuple[str, ...]:
    processor, wall = ([run[what] for run in runs] for what in ("processor", "wall"))
    again = median(run["again"] for run in runs)
    seconds = (_list(processor), _median(processor), _list(wall), _median(wall))
    return (module, *seconds, f"{again * 1000:.0f}")


def _list(seconds: list[float]) -> str:
    return " ".join(f"{it:.2f}" for it in seconds)


def _median(seconds: list[float]) -> str:
    return f"{median(seconds):.2f}"
