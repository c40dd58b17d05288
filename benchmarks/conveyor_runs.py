"""Conveyor itself, through its command line, with the same figures as its peers.

    python -m benchmarks.conveyor_runs [--database postgresql://...] [--endpoint-url http://...]

Without a database it runs embedded, in a new directory; with one alone, on PostgreSQL with the
embedded queue; with an endpoint too, on SQS. Database and queues must be new. Each order goes
through the whole shop flow, and is a purchase of the CDNOW data set.

The clock is the replay's own: from the first order's placing until all are known to be settled.
The replay places the orders and, unless `--served`, runs the services in its own process, as it
does for users. `--worker SERVICES` adds a process of `conveyor work`, `--setting` a variable of the
environment; both may be repeated. On SQS
requests are counted at the server, from before the first process starts until the replay ends.
"""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.cdnow import write_orders
from benchmarks.counting_sqs import counts, total
from benchmarks.deployment import Deployment, services_of
from benchmarks.peers.five_steps import report
from benchmarks.processes import Watched

KEY_VARIABLE = "CONVEYOR_API_KEY"
MEGABYTE = 1_000_000


def main() -> None:
    """Run Conveyor once and print its figures."""
    options = _options()
    with TemporaryDirectory(prefix="conveyor-run-") as name:
        home = Path(name)
        orders = write_orders(home / "orders.jsonl", options.orders, options.cdnow)
        more = dict(setting.split("=", 1) for setting in options.setting)
        deployment = Deployment(home / "data", options.database, options.endpoint_url, more)
        deployment.prepare()
        before = counts(options.endpoint_url) if options.endpoint_url else None
        with _processes(deployment, options) as (started, arguments, settings):
            result, replay = deployment.replay(orders, *arguments, settings=settings)
            after = counts(options.endpoint_url) if options.endpoint_url else None
            every = [*started, replay]
            facts: dict[str, Any] = {
                "latency_ms": result["latency_ms"],
                "peak_mb": {it.name: round(it.peak_bytes() / MEGABYTE) for it in every},
                "cpu_seconds": {it.name: round(it.cpu_seconds(), 2) for it in every},
            }
        if before is not None and after is not None:
            facts["sqs_requests_per_order"] = round(total(after - before) / orders.count, 3)
        assert deployment.audit() == orders.count
        report("conveyor", orders.count, result["seconds"], **facts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--cdnow", type=Path, help="a whole CDNOW file to take the orders from")
    parser.add_argument("--database", default="")
    parser.add_argument("--endpoint-url", default="")
    parser.add_argument("--worker", action="append", default=[], metavar="SERVICES")
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--served", action="store_true", help="place the orders over HTTP")
    return parser.parse_args()


@contextmanager
def _processes(
    deployment: Deployment, options: argparse.Namespace
) -> Iterator[tuple[list[Watched], list[str], dict[str, str]]]:
    """Start the other processes; gives them, and what the replay needs to know of them."""
    with ExitStack() as started:
        processes = []
        for number, services in enumerate(options.worker, start=1):
            name = f"work {services} ({number})"
            worker = deployment.start("work", *services_of(services), name=name)
            processes.append(started.enter_context(worker)[1])
        if not options.served:
            yield processes, [], {}
            return
        key = deployment.run("keys", "create")["key"]
        ready, server = started.enter_context(deployment.start("serve", "--port", 0))
        yield [*processes, server], ["--server", ready["url"]], {KEY_VARIABLE: key}


if __name__ == "__main__":
    main()
