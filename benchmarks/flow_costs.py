"""What an order of each flow asks of AWS: the figures behind `conveyor cost`.

    python -m benchmarks.flow_costs [--only PART ...] [--alone 30] [--together 1000] [--to FILE]

Runs each flow twice on PostgreSQL and an SQS server that counts: one order at a time, and as many
at once as come. Counted are requests and messages at the queue server, bytes between Conveyor and
the database at a relay between, and what the database holds, logs and works for it. The shop also
runs as Lambda functions, under AWS's own runtime client, for the processor time of an invocation
with one message. It is written to `src/conveyor/data/measured.json`.
"""

import argparse
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from benchmarks.counting_relay import counting_relay
from benchmarks.counting_sqs import counting_sqs_server, counts, total
from benchmarks.deployment import COMPLETED, Deployment
from benchmarks.flows import SETTINGS, WRITERS
from benchmarks.machine import machine_facts
from benchmarks.processes import TICKS_A_SECOND, watched
from benchmarks.renewals import subscribed
from benchmarks.servers import Servers
from tests.aws.deployment import SHOP, deployed, until
from tests.aws.deployment import Deployment as Functions
from tests.aws.runtime import Function, lay_out
from tests.servers.ministack import AWS_TEST_ENVIRONMENT
from tests.servers.postgres import Postgres, postgres_server

from conveyor.entrypoints.aws_lambda.packaging import build

TARGET = Path(__file__).parents[1] / "src" / "conveyor" / "data" / "measured.json"
PLACED = ("shop", "food", "travel")
RENEWAL = "renewal"
FUNCTIONS = "functions"
PARTS = (*PLACED, RENEWAL, FUNCTIONS)
BY_QUEUE = {"CONVEYOR_RIDE_ON": "0"}
"""As in functions, each of which serves one queue: every step costs a message."""
TICK_SECONDS = 30.0
DIGITS = 4
Figures = dict[str, Any]


@dataclass(frozen=True)
class Meters:
    """Counters before a run; their difference to those after it is the run's."""

    postgres: Postgres
    url: str
    endpoint: str
    asked: Counter[str]
    log_bytes: int
    held_bytes: int
    cpu_seconds: float

    @classmethod
    def read(cls, postgres: Postgres, url: str, endpoint: str) -> "Meters":
        """Read them all now."""
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT pg_current_wal_lsn() - '0/0', pg_database_size(current_database())"
            ).fetchone()
        assert row is not None
        cpu = _tree_cpu_seconds(postgres.pid)
        return cls(postgres, url, endpoint, counts(endpoint), int(row[0]), int(row[1]), cpu)

    def per_order(self, orders: int) -> Figures:
        """Give what each order has taken since."""
        now = Meters.read(self.postgres, self.url, self.endpoint)
        asked = now.asked - self.asked
        with psycopg.connect(self.url) as connection:
            row = connection.execute("SELECT count(*) FROM calls").fetchone()
        assert row is not None
        fifo = sum(count for name, count in asked.items() if name.endswith(" fifo"))
        messages = asked["SendMessageBatch entries"]
        return {
            "messages": _each(messages, orders),
            "requests": _each(total(asked), orders),
            "requests_fifo": _each(fifo, orders),
            "sends": _each(asked["SendMessageBatch"], orders),
            "receives": _each(asked["ReceiveMessage"], orders),
            "deletes": _each(asked["DeleteMessageBatch"], orders),
            "messages_a_delete": round(
                asked["DeleteMessageBatch entries"] / asked["DeleteMessageBatch"], 2
            ),
            "calls": _each(int(row[0]), orders),
            "database_log_bytes": round((now.log_bytes - self.log_bytes) / orders),
            "database_held_bytes": round((now.held_bytes - self.held_bytes) / orders),
            "database_cpu_seconds": _each(now.cpu_seconds - self.cpu_seconds, orders),
        }


def main() -> None:
    """Measure all of it, and write down each part as soon as it is there."""
    options = _options()
    os.environ.update(AWS_TEST_ENVIRONMENT)
    result: Figures = json.loads(options.to.read_text()) if options.to.exists() else {}
    with postgres_server() as postgres:
        result |= {
            "measured_at": f"{datetime.now(UTC):%Y-%m-%d}",
            "command": "python -m benchmarks.flow_costs",
            "machine": machine_facts(Servers(postgres)),
            "orders": {"alone": options.alone, "together": options.together},
        }
        for name in options.only or PARTS:
            if name == FUNCTIONS:
                result[FUNCTIONS] = _functions(postgres, options.alone)
            else:
                result.setdefault("flows", {})[name] = _flow(postgres, name, options)
            options.to.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be repeated")
    parser.add_argument("--alone", type=int, default=30, help="orders, one at a time")
    parser.add_argument("--together", type=int, default=1_000, help="orders, all at once")
    parser.add_argument("--to", type=Path, default=TARGET, help="the file; other parts stay in it")
    return parser.parse_args()


def _flow(postgres: Postgres, name: str, options: argparse.Namespace) -> Figures:
    if name == RENEWAL:
        return {"together": _renewed(postgres, options.together)}
    return {
        "alone": _placed(postgres, name, options.alone, "--concurrency", 1),
        "together": _placed(postgres, name, options.together),
    }


def _placed(postgres: Postgres, flow: str, count: int, *options: object) -> Figures:
    with _home() as home, counting_sqs_server() as sqs:
        url = postgres.fresh_database()
        direct = Deployment(home / "data", url, sqs.endpoint_url, SETTINGS | BY_QUEUE)
        direct.prepare()
        file = WRITERS[flow](direct, home / "orders.jsonl", count)
        with counting_relay(url) as (relayed, relay):
            before = Meters.read(postgres, url, sqs.endpoint_url)
            settings = replace(direct, database=relayed).settings
            result, process = watched("replay", file, *options, settings=settings)
        assert result["by_status"] == {COMPLETED: count}, result
        return {
            "orders_a_second": round(result["orders_per_second"], 1),
            **before.per_order(count),
            "database_transfer_bytes": round(relay.bytes / count),
            "worker_cpu_seconds": _each(process.cpu_seconds(), count),
        }


def _renewed(postgres: Postgres, count: int) -> Figures:
    """They come all at once by their nature: one at a time is not measured."""
    with subscribed(Servers(postgres), count, on_sqs=True) as night:
        url, endpoint = night.deployment.database, night.deployment.endpoint_url
        before = Meters.read(postgres, url, endpoint)
        _, rate = night.undisturbed()
        return {"orders_a_second": round(rate, 1), **before.per_order(count)}


def _functions(postgres: Postgres, count: int) -> Figures:
    """Give the processor time of an invocation with one message, of the shop's functions."""
    with ExitStack() as stack:
        home = stack.enter_context(_home())
        sqs = stack.enter_context(counting_sqs_server())
        build(home / "functions.zip")
        package = lay_out(home / "functions.zip", home / "laid-out")
        made = stack.enter_context(
            deployed(package, postgres.fresh_database(), sqs.endpoint_url, "cost-")
        )
        api, handler, tick = (
            made.function("api"),
            made.function("queue"),
            made.function("tick", told=TICK_SECONDS),
        )
        made.feed(handler, *SHOP, batch_size=1)
        _carry(made, api, tick, 1)  # the first invocations import and connect
        before = counts(sqs.endpoint_url)
        queue, http = _time_of(handler), _time_of(api)
        _carry(made, api, tick, count)
        invocations = (counts(sqs.endpoint_url) - before)["DeleteMessageBatch"]
        return {
            "flow": "shop",
            "orders": count,
            "messages_an_order": _each(invocations, count),
            "cpu_seconds_a_message": _each(_time_of(handler) - queue, invocations),
            "cpu_seconds_an_order_placed": _each(_time_of(api) - http, count),
        }


def _time_of(function: Function) -> float:
    assert function.process is not None
    return _cpu_seconds(function.process.pid)


def _carry(made: Functions, api: Function, tick: Function, count: int) -> None:
    placed = {made.place(api) for _ in range(count)}

    def are_completed() -> bool:
        with psycopg.connect(made.environment["CONVEYOR_DATABASE_URL"]) as connection:
            statement = "SELECT id FROM orders WHERE status = %s"
            return placed <= {row[0] for row in connection.execute(statement, [COMPLETED])}

    until(are_completed, meanwhile=lambda: tick.invoke({}))


@contextmanager
def _home() -> Iterator[Path]:
    with TemporaryDirectory(prefix="conveyor-costs-") as name:
        yield Path(name)


def _each(amount: float, orders: int) -> float:
    return round(amount / orders, DIGITS)


def _tree_cpu_seconds(pid: int) -> float:
    """Give the processor time of a server: its own, its children's, and of those that ended."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    ended = sum(_ticks(pid)[2:]) / TICKS_A_SECOND
    return ended + _cpu_seconds(pid) + sum(_cpu_seconds(int(child)) for child in children)


def _cpu_seconds(pid: int) -> float:
    return sum(_ticks(pid)[:2]) / TICKS_A_SECOND


def _ticks(pid: int) -> tuple[int, ...]:
    """Give a process's own time, as a user and in the kernel, and that of its ended children."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:  # it has just ended
        return (0, 0, 0, 0)
    return tuple(int(it) for it in stat.rpartition(")")[2].split()[11:15])


if __name__ == "__main__":
    main()
