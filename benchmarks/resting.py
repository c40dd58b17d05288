"""What the system costs while there is nothing to do: starting, and waiting."""

import time
import urllib.request
from collections import Counter
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.cdnow import write_orders
from benchmarks.counting_sqs import RECEIVE, counts
from benchmarks.deployment import Deployment
from benchmarks.section import Section, at_most, below
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes

START_SECONDS = 1.5
IDLE_CPU_PERCENT = 1.0
POLL_SECONDS = 20.0
SETTLE_SECONDS = 5.0
"""Before a process counts as idle; on SQS long polls that began under load must run out too."""
ORDERS = 1_000
"""Orders that are settled before a process is idle: nobody watches an empty system."""


def measure_start(_: Servers, sizes: Sizes) -> Section:
    """Time `up`, from the command to its first answer, in a new directory and in a used one."""
    new, used = [], []
    with TemporaryDirectory(prefix="conveyor-start-") as name:
        for number in range(sizes.starts):
            deployment = Deployment(Path(name) / str(number))
            new.append(_start(deployment))
            used.append(_start(deployment))
    times = {"in a new directory": new, "in a used one": used}
    rows = [
        (what, " ".join(f"{seconds:.2f}" for seconds in of), f"{median(of):.2f}")
        for what, of in times.items()
    ]
    targets = [
        below(f"seconds until `up` is ready, {what}", median(of), START_SECONDS)
        for what, of in times.items()
    ]
    return Section("Starting", ("`up`", "seconds", "median"), rows, targets, runs=times)


def _start(deployment: Deployment) -> float:
    begun = time.monotonic()
    with deployment.start("up", "--port", 0) as (ready, _up):
        urllib.request.urlopen(f"{ready['url']}/readyz").close()
        return time.monotonic() - begun


def measure_idle_cpu(_: Servers, sizes: Sizes) -> Section:
    """See how much of one core `up` takes once its orders are settled."""
    with TemporaryDirectory(prefix="conveyor-idle-") as name:
        deployment = Deployment(Path(name) / "data")
        deployment.prepare()
        with deployment.start("up", "--port", 0) as (_ready, up):
            deployment.replay(write_orders(Path(name) / "orders.jsonl", ORDERS))
            time.sleep(SETTLE_SECONDS)
            begun, before = time.monotonic(), up.cpu_seconds()
            time.sleep(sizes.idle_cpu_seconds)
            spent, seconds = up.cpu_seconds() - before, time.monotonic() - begun
    percent = 100 * spent / seconds
    row = ("up", f"{seconds:.1f}", f"{spent:.2f}", f"{percent:.2f}")
    columns = ("process", "seconds", "of processor time", "% of a core")
    targets = [below("% of a core, idle", percent, IDLE_CPU_PERCENT)]
    return Section("Idle: processor", columns, [row], targets, runs={"percent": percent})


def measure_idle_queues(servers: Servers, sizes: Sizes) -> Section:
    """Count what the SQS server is asked while there is nothing to receive."""
    with (
        TemporaryDirectory(prefix="conveyor-idle-") as name,
        servers.database() as database,
        servers.queues() as endpoint,
    ):
        deployment = Deployment(Path(name) / "data", database, endpoint)
        deployment.prepare()
        with deployment.start("serve", "--port", 0), deployment.start("work", "all"):
            time.sleep(POLL_SECONDS + SETTLE_SECONDS)
            before = counts(endpoint)
            time.sleep(sizes.idle_queues_seconds)
            made = counts(endpoint) - before
    return _idle_queues(made, sizes.idle_queues_seconds)


def _idle_queues(made: Counter[str], seconds: float) -> Section:
    polls = seconds / POLL_SECONDS
    rows = [(what, count, f"{count / polls:.2f}") for what, count in sorted(made.items())]
    most = max(count for what, count in made.items() if what.startswith(f"{RECEIVE} "))
    columns = (f"requests in {seconds:.0f} s", "number", "in 20 s")
    targets = [at_most("receives of one queue in 20 s, idle", most / polls, 1.0)]
    notes = ["`serve` and `work all` are running. Receives stand here in all and by queue."]
    return Section("Idle: SQS", columns, rows, targets, notes, dict(made))
