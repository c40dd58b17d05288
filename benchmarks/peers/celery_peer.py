"""Celery over SQS: five chained tasks an order, each updates a row in PostgreSQL.

    python -m benchmarks.peers.celery_peer --database postgresql://... --endpoint-url http://...

The database must be new. Credentials are the AWS SDK's own (`AWS_ACCESS_KEY_ID` and so on). The
clock runs from the first order's placing to the last one's completion. This module is also the
Celery application that its workers load; they are started, and ended, by the run.

How Celery is given its best, each choice measured on two cores: two workers of four processes;
ten messages prefetched a process (as many as SQS gives at once); one queue, so that no worker
waits at an empty one; long polls with no pause between them; messages not wrapped in base64;
results, events and remote control off. Tasks are acknowledged late, as durability demands.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from urllib.parse import urlsplit

import boto3
import psycopg
from benchmarks.peers.five_steps import (
    COMPLETED,
    PLACE,
    STEPS,
    STOCK,
    TABLES,
    Order,
    articles,
    orders,
    report,
)
from celery import Celery, chain
from celery.app.task import Task

QUEUE = "five-steps"
POLL_SECONDS = 0.05
STOP_SECONDS = 15
VISIBILITY_SECONDS = 60
LONG_POLL_SECONDS = 10
PREFETCH = 10

DATABASE_VARIABLE = "FIVE_STEPS_DATABASE_URL"
ENDPOINT_VARIABLE = "FIVE_STEPS_ENDPOINT_URL"
QUEUE_VARIABLE = "FIVE_STEPS_QUEUE_URL"


def _application() -> Celery:
    """Give the application as the environment describes it: the run's or a worker's."""
    application = Celery(
        "five_steps", broker=f"sqs://{urlsplit(os.environ.get(ENDPOINT_VARIABLE, '')).netloc}"
    )
    application.conf.update(
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "region": os.environ.get("AWS_DEFAULT_REGION", "eu-west-1"),
            "predefined_queues": {QUEUE: {"url": os.environ.get(QUEUE_VARIABLE, "")}},
            "visibility_timeout": VISIBILITY_SECONDS,
            "wait_time_seconds": LONG_POLL_SECONDS,
            "polling_interval": 0,
            "sqs_base64_encoding": False,
        },
        task_acks_late=True,
        task_default_queue=QUEUE,
        task_ignore_result=True,
        worker_enable_remote_control=False,
        worker_prefetch_multiplier=PREFETCH,
        worker_send_task_events=False,
    )
    return application


app = _application()


@cache
def _connection() -> psycopg.Connection:
    """Give this worker process's connection; every statement on it commits by itself."""
    return psycopg.connect(os.environ[DATABASE_VARIABLE], autocommit=True)


def _psycopg(statement: str) -> str:
    return re.sub(r":(\w+)", r"%(\1)s", statement)


def _task(name: str, statement: str) -> Task:
    text = _psycopg(statement)

    @app.task(name=name)
    def step(order: dict[str, object]) -> None:
        _connection().execute(text.encode(), order)

    return step


TASKS = [_task(name, statement) for name, statement in STEPS.items()]


def main() -> None:
    """Run the peer once and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--database", required=True)
    parser.add_argument("--endpoint-url", required=True)
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--processes", type=int, default=4, help="of each worker")
    options = parser.parse_args()
    os.environ[DATABASE_VARIABLE] = options.database
    os.environ[ENDPOINT_VARIABLE] = options.endpoint_url
    os.environ[QUEUE_VARIABLE] = _create_queue(options.endpoint_url)
    app.conf.update(_application().conf)
    placed = _prepare(options.database, options.orders)
    with _workers(options.workers, options.processes):
        seconds = _run(options.database, placed)
    report("celery", len(placed), seconds, workers=options.workers, processes=options.processes)


def _create_queue(endpoint_url: str) -> str:
    client = boto3.client("sqs", endpoint_url=endpoint_url)
    attributes = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
    return str(client.create_queue(QueueName=QUEUE, Attributes=attributes)["QueueUrl"])


def _prepare(database: str, count: int) -> list[Order]:
    placed = list(orders(count))
    with psycopg.connect(database) as connection, connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(table.encode())
        cursor.executemany(_psycopg(STOCK).encode(), articles())
        cursor.executemany(_psycopg(PLACE).encode(), [order._asdict() for order in placed])
    return placed


@contextmanager
def _workers(count: int, processes: int) -> Iterator[None]:
    """Run the workers as Celery's own command does; end exactly these."""
    command = [sys.executable, "-W", "ignore", "-m", "celery", "-A", __spec__.name, "worker"]
    command += ["--concurrency", str(processes), "--loglevel", "ERROR"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    started = [
        subprocess.Popen([*command, "--hostname", f"worker-{number}"], stdout=subprocess.DEVNULL)
        for number in range(count)
    ]
    try:
        yield
    finally:
        for worker in started:
            worker.terminate()
        for worker in started:
            _end(worker)


def _end(worker: subprocess.Popen[bytes]) -> None:
    try:
        worker.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def _run(database: str, placed: list[Order]) -> float:
    """Place every order, wait until all are completed; give the seconds it took."""
    with psycopg.connect(database, autocommit=True) as connection:
        _warm_up(connection)
        started = time.monotonic()
        for order in placed:
            _place(order)
        while _count(connection, COMPLETED) < len(placed):
            time.sleep(POLL_SECONDS)
        return time.monotonic() - started


def _warm_up(connection: psycopg.Connection) -> None:
    """Send one order that has no row through all steps, so that the workers are up."""
    _place(Order("warm-up", "none", 0))
    while not _count(connection, "SELECT count(*) FROM shipments"):
        time.sleep(POLL_SECONDS)


def _place(order: Order) -> None:
    chain(*(task.si(order._asdict()) for task in TASKS)).apply_async()


def _count(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


if __name__ == "__main__":
    main()
