"""A rush on few seats, with a kill in between: they go to the earliest, none twice, none lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy as sa
from benchmarks.rush import Rush
from benchmarks.rush_check import check_rush
from tests.cli.driver import PATIENCE_SECONDS, Process, say, until
from tests.servers import AWS_TEST_ENVIRONMENT, ministack_server, postgres_server

from conveyor.messaging.tables import orders

EMBEDDED_RUSH = Rush(requests=20_000, flights=50, producers=8)
# MiniStack looks at every deduplication id that it knows for each message.
SQS_RUSH = Rush(requests=1_600, flights=8, producers=8)
WORKERS = 4
KILL_AT = 0.4
RUSH_SECONDS = 240.0


@contextmanager
def rush_process(
    rush: Rush, records: Path, which: object, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `benchmarks.rush` as a process, which whoever takes it may kill."""
    sizes = (rush.requests, rush.flights, rush.producers)
    command = [sys.executable, "-m", "benchmarks.rush", records, *sizes, which]
    process = subprocess.Popen(
        [str(part) for part in command], env={**os.environ, **environment}, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ended(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate(timeout=RUSH_SECONDS)
    assert process.returncode == 0, errors.decode()


def lines_of(records: Path) -> int:
    return records.read_bytes().count(b"\n") if records.exists() else 0


def test_20_000_requests_for_50_flights_in_one_process_that_is_killed(tmp_path: Path) -> None:
    records = tmp_path / "records"
    environment = {"CONVEYOR_DATA": str(tmp_path / "data")}
    with rush_process(EMBEDDED_RUSH, records, "all", environment) as process:
        until(lambda: lines_of(records) > EMBEDDED_RUSH.requests * KILL_AT)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert lines_of(records) < EMBEDDED_RUSH.requests
    with rush_process(EMBEDDED_RUSH, records, "all", environment) as process:
        ended(process)

    url = f"sqlite:///{tmp_path / 'data' / 'conveyor.db'}"
    figures = check_rush(url, EMBEDDED_RUSH, records)
    assert (figures["requests"], figures["booked"]) == (20_000, 5_000)
    assert figures["timed"] > 19_000
    assert say("audit", **environment).code == 0


def test_many_producers_and_workers_on_postgres_and_sqs_with_a_kill(tmp_path: Path) -> None:
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server(durable=False))
        sqs = stack.enter_context(ministack_server())
        url = postgres.fresh_database()
        environment = AWS_TEST_ENVIRONMENT | {
            "CONVEYOR_DATABASE_URL": url,
            "CONVEYOR_QUEUE_URL": f"sqs://eu-west-1/rush-?endpoint_url={sqs.endpoint_url}",
            "CONVEYOR_DATA": str(tmp_path / "data"),
            "CONVEYOR_VISIBILITY_SECONDS": "5",
        }
        assert say("migrate", **environment).code == 0
        assert say("queues", "provision", **environment).code == 0
        offered = tmp_path / "flights.csv"
        rows = (o.name.split("/")[1:] + [str(o.capacity)] for o in SQS_RUSH.offers())
        offered.write_text("flight,date,seats\n" + "".join(",".join(r) + "\n" for r in rows))
        assert say("bookings", "import", offered, **environment).code == 0

        workers = [
            stack.enter_context(Process("work", "all", "--json", **environment))
            for _ in range(WORKERS)
        ]
        for worker in workers:
            worker.ready()
        records = [tmp_path / f"records-{n}" for n in range(SQS_RUSH.producers)]
        producers = [
            stack.enter_context(rush_process(SQS_RUSH, path, n, environment))
            for n, path in enumerate(records)
        ]
        engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        stack.callback(engine.dispose)

        def settled() -> int:
            query = sa.select(sa.func.count()).where(orders.c.settled_at.is_not(None))
            with engine.connect() as connection:
                return connection.execute(query).scalar_one()

        until(lambda: settled() > SQS_RUSH.requests * KILL_AT)
        workers[0].popen.kill()
        stack.enter_context(Process("work", "all", "--json", **environment)).ready()
        for producer in producers:
            ended(producer)
        for _ in range(4):
            try:
                until(lambda: settled() == SQS_RUSH.requests)
            except AssertionError:
                continue
        assert settled() == SQS_RUSH.requests
        everything = tmp_path / "records"
        everything.write_bytes(b"".join(path.read_bytes() for path in records))
        figures = check_rush(url, SQS_RUSH, everything)
        assert figures == {"requests": 1_600, "booked": 800, "timed": 1_600}
        audited = say("audit", **environment)
        assert audited.code == 0, audited.out
        assert PATIENCE_SECONDS > 0
