"""A rush on few seats, with a kill in between: they go to the earliest, none twice, none lost.

Embedded, everything runs in one process, which is killed and started again. On PostgreSQL and SQS
each producer and each worker is a process of its own, and one worker is killed and replaced.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa
from benchmarks.deployment import Deployment
from benchmarks.rush import ALL, DATE, SEATS_A_FLIGHT, Rush
from benchmarks.rush_check import check_rush
from benchmarks.section import Section
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes

from conveyor.core.tables import orders

REQUESTS_A_FLIGHT = 400
PRODUCERS = 8
WORKERS = 4
KILL_AT = 0.4
"""Of the requests, how many are settled when the kill comes."""
LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 1_800.0
SHORT_VISIBILITY = {"CONVEYOR_VISIBILITY_SECONDS": "10"}
"""What a killed worker has in its hands blocks its message groups for so long."""
COLUMNS = ("database and queue", "requests", "flights", "seats", "settled/s with the kill")


class NeverHappenedError(Exception):
    """What was waited for did not come about."""


@dataclass(frozen=True)
class Outcome:
    """How long a rush took from the first request, the kill included, and what it gave away."""

    seconds: float
    figures: Mapping[str, int]


def measure_strict_order(servers: Servers, sizes: Sizes) -> Section:
    """Rush on both."""
    rows, runs = [], []
    for name, count in (("SQLite", sizes.rush), ("PostgreSQL, SQS", sizes.rush_on_sqs)):
        flights = max(1, count // REQUESTS_A_FLIGHT)
        rush = Rush(count, flights, PRODUCERS)
        with ExitStack() as stack:
            home = Path(stack.enter_context(TemporaryDirectory(prefix="conveyor-rush-")))
            if name == "SQLite":
                outcome = rush_embedded(home, rush)
            else:
                url = stack.enter_context(servers.database())
                queues = stack.enter_context(servers.queues())
                outcome = rush_on_servers(home, rush, url, queues)
        figures = (count, flights, outcome.figures["booked"], round(count / outcome.seconds))
        rows.append((name, *(f"{figure:,}" for figure in figures)))
        runs.append(dict(zip(COLUMNS, (name, *figures), strict=True)))
    note = (
        f"{PRODUCERS} producers, {WORKERS} workers (embedded: one process). When {KILL_AT:.0%} are"
        " settled, a worker (embedded: everything) is killed and started again. Then for every"
        " flight: each request was handled at its turn, no turn is missing, the seats went to the"
        f" first {SEATS_A_FLIGHT}, and nobody who was answered before another asked came later."
    )
    return Section("Strict order", COLUMNS, rows, notes=[note], runs=runs)


def rush_embedded(home: Path, rush: Rush) -> Outcome:
    """Run it in one process on SQLite, which is killed. Raises `AssertionError`."""
    deployment, records = Deployment(home / "data"), home / "records"
    url = f"sqlite:///{deployment.data / 'conveyor.db'}"
    begun = time.monotonic()
    with _rushing(deployment, rush, records, ALL) as process:
        _until(lambda: _lines(records) > rush.requests * KILL_AT)
        process.kill()
    with _rushing(deployment, rush, records, ALL) as process:
        _require_success(process)
    seconds = time.monotonic() - begun
    return _checked(deployment, url, rush, records, seconds)


def rush_on_servers(
    home: Path, rush: Rush, url: str, endpoint_url: str, count: int = WORKERS
) -> Outcome:
    """Run it in many processes, on PostgreSQL and SQS: of `count` workers one is killed."""
    deployment = Deployment(home / "data", url, endpoint_url, SHORT_VISIBILITY)
    deployment.prepare()
    _offer(deployment, rush, home / "flights.csv")
    records = [home / f"records-{number}" for number in range(rush.producers)]
    with ExitStack() as stack, _counting(url) as settled:
        workers = [stack.enter_context(deployment.start("work", "all")) for _ in range(count)]
        begun = time.monotonic()
        producers = [
            stack.enter_context(_rushing(deployment, rush, path, number))
            for number, path in enumerate(records)
        ]
        _until(lambda: settled() > rush.requests * KILL_AT)
        workers[0][1].process.kill()
        workers.append(stack.enter_context(deployment.start("work", "all")))
        for producer in producers:
            _require_success(producer)
        _until(lambda: settled() == rush.requests)
        seconds = time.monotonic() - begun
        for _, worker in workers:  # a clean stop of each would wait for its long polls
            worker.process.kill()
    together = home / "records"
    together.write_bytes(b"".join(path.read_bytes() for path in records))
    return _checked(deployment, url, rush, together, seconds)


def _checked(
    deployment: Deployment, url: str, rush: Rush, records: Path, seconds: float
) -> Outcome:
    figures = check_rush(url, rush, records)
    assert deployment.audit() == rush.requests
    return Outcome(seconds, figures)


def _offer(deployment: Deployment, rush: Rush, file: Path) -> None:
    names = (offer.name.split("/")[1] for offer in rush.offers())
    lines = (f"{name},{DATE},{SEATS_A_FLIGHT}\n" for name in names)
    file.write_text("flight,date,seats\n" + "".join(lines), encoding="ascii")
    assert deployment.run("bookings", "import", file)["resources"] == rush.flights


@contextmanager
def _rushing(
    deployment: Deployment, rush: Rush, records: Path, which: object
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `benchmarks.rush` as a process; whoever takes it may kill it."""
    sizes = (rush.requests, rush.flights, rush.producers)
    command = [sys.executable, "-m", "benchmarks.rush", records, *sizes, which]
    environment = os.environ | deployment.settings
    process = subprocess.Popen(
        [str(part) for part in command], env=environment, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _require_success(process: subprocess.Popen[bytes]) -> None:
    process.wait(PATIENCE_SECONDS)
    assert process.stderr is not None
    assert process.returncode == 0, process.stderr.read().decode()


def _lines(records: Path) -> int:
    return records.read_bytes().count(b"\n") if records.exists() else 0


@contextmanager
def _counting(url: str) -> Iterator[Callable[[], int]]:
    """Give what counts the orders that are settled."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    query = sa.select(sa.func.count()).where(orders.c.settled_at.is_not(None))

    def count() -> int:
        with engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    try:
        yield count
    finally:
        engine.dispose()


def _until(happened: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        if time.monotonic() > give_up_at:
            raise NeverHappenedError
        time.sleep(LOOK_SECONDS)
