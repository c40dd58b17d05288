"""What a server does while three times what it carries is offered: embedded and on PostgreSQL.

The full rate is that of the same server a moment before, when a replay over HTTP places orders as
fast as they settle. Crowd, database, queues and workers share the machine with the server in both:
the crowd stands for machines of others, so its part is taken from what a server of one's own would
have. How late it was itself (`late_ms`) tells whether it got along.
"""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
from benchmarks.cdnow import write_orders
from benchmarks.deployment import Deployment
from benchmarks.processes import Watched
from benchmarks.section import Section, Target, at_least, at_most, below
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes

from conveyor.core.tables import orders

TIMES = 3
AT_ONCE = 64
ANSWERED_MS = 1_000.0
HEALTHY_MS = 100.0
SHARE = 0.8
MIB = 1024 * 1024
MAX_MIB = 300.0
LOOK_SECONDS = 0.1
STILL_SECONDS = 60.0
"""In so long one at least settles, of however many: `serve` takes more than workers carry out."""
COLUMNS = (
    "system",
    "full/s",
    "offered/s",
    "202/s",
    "settled/s",
    "p99 ms",
    "refused/s",
    "their p99 ms",
    "broken",
    "/healthz p99 ms",
    "its longest",
    "MiB",
)


class Health(threading.Thread):
    """Asks `/healthz` ten times a second, each time over a connection of its own."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = f"{url}/healthz"
        self._ended = threading.Event()
        self.times: list[float] = []
        self.failed = 0

    def run(self) -> None:
        """Ask until told to stop."""
        while not self._ended.wait(LOOK_SECONDS):
            begun = time.monotonic()
            try:
                with urllib.request.urlopen(self._url, timeout=5) as answer:
                    answer.read()
            except (OSError, urllib.error.URLError):
                self.failed += 1
            self.times.append((time.monotonic() - begun) * 1000)

    def stop(self) -> None:
        """Give the times in order."""
        self._ended.set()
        self.join()
        self.times.sort()

    @property
    def p99(self) -> float:
        """What 99 of a hundred answers did not exceed."""
        return self.times[int(len(self.times) * 0.99)]


@dataclass(frozen=True)
class System:
    """A server, and who may use it; `settles` tells whether it also carries its orders out."""

    name: str
    deployment: Deployment
    url: str
    key: str
    server: Watched
    settles: bool

    def full_rate(self, sizes: Sizes, *options: str) -> float:
        """Give how many orders it settles a second, or takes where it settles none."""
        if not self.settles:
            answered = self.crowd(AT_ONCE, sizes.placing_seconds, "--at-once", *options)
            return float(answered["statuses"]["202"] / sizes.placing_seconds)
        count = sizes.placing_full_rate
        # Orders of another number have other idempotency keys.
        file = write_orders(self.deployment.data / "orders.jsonl", count, first=time.time_ns())
        settings = {"CONVEYOR_SERVER": self.url, "CONVEYOR_API_KEY": self.key}
        replayed, _ = self.deployment.replay(file, settings=settings)
        return float(replayed["orders_per_second"])

    def crowd(self, rate: float, seconds: float, *options: str) -> Any:  # noqa: ANN401 - JSON
        """Offer orders; `ids` are those that were accepted."""
        file = self.deployment.data / "ids"
        arguments = (self.url, self.key, rate, seconds, file, *options)
        command = [sys.executable, "-m", "benchmarks.open_loop", *map(str, arguments)]
        answered = json.loads(subprocess.check_output(command))
        return answered | {"ids": file.read_text(encoding="ascii").split()}

    def settled(self) -> dict[str, int | None]:
        """Wait until what it carries out is settled; gives when each order was, None: not yet."""
        left, since = 0, time.monotonic()
        while self.settles and (still := self._open()):
            if still != left:
                left, since = still, time.monotonic()
            assert time.monotonic() < since + STILL_SECONDS, f"{left} orders stand still"
            time.sleep(1)
        where = self.deployment.database.replace("postgresql://", "postgresql+psycopg://")
        engine = sa.create_engine(where or f"sqlite:///{self.deployment.data / 'conveyor.db'}")
        with engine.connect() as connection:
            rows = connection.execute(sa.select(orders.c.id, orders.c.settled_at)).all()
        engine.dispose()
        return {row.id: row.settled_at for row in rows}

    def _open(self) -> int:
        headers = {"authorization": f"Bearer {self.key}"}
        request = urllib.request.Request(f"{self.url}/v1/summary", headers=headers)
        with urllib.request.urlopen(request) as answer:
            return int(json.load(answer)["open"])


def measure_overload(servers: Servers, sizes: Sizes) -> Section:
    """Overload every kind of server, over connections that stay and over new ones."""
    runs = []
    for start in (_embedded, _up_on_postgres, _serving, _with_workers):
        with start(servers) as system:
            for options in ((), ("--new-connections",)):
                full = system.full_rate(sizes, *options)
                runs.append(_overload(system, full, sizes.overload_seconds, *options))
                print(json.dumps(runs[-1]), file=sys.stderr)
    rows = [tuple(run[column] for column in COLUMNS) for run in runs]
    targets = [target for run in runs for target in _targets(run)]
    note = "`serve` only takes orders: its full rate is how many it answers when 64 wait at a time."
    return Section("Three times the full rate", COLUMNS, rows, targets, [note], runs)


def _targets(run: dict[str, Any]) -> Iterator[Target]:
    system = run["system"]
    yield below(f"{system}: ms until 202, p99", run["p99 ms"], ANSWERED_MS)
    yield below(f"{system}: ms until refused, p99", run["their p99 ms"], ANSWERED_MS)
    yield at_most(f"{system}: broken connections", run["broken"], 0)
    yield below(f"{system}: ms of /healthz, p99", run["/healthz p99 ms"], HEALTHY_MS)
    yield at_least(f"{system}: 202 : full rate", run["202/s"] / run["full/s"], SHARE)
    if run["settled/s"]:
        yield at_least(f"{system}: settled : full rate", run["settled/s"] / run["full/s"], SHARE)
    yield at_most(f"{system}: MiB", run["MiB"], MAX_MIB)


@contextmanager
def _embedded(_: Servers) -> Iterator[System]:
    with _up("up", "") as system:
        yield system


@contextmanager
def _up_on_postgres(servers: Servers) -> Iterator[System]:
    with servers.database() as database, _up("up on PostgreSQL", database) as system:
        yield system


@contextmanager
def _up(name: str, database: str) -> Iterator[System]:
    with TemporaryDirectory(prefix="conveyor-overload-") as home:
        deployment = Deployment(Path(home) / "data", database)
        deployment.prepare()
        key = deployment.run("keys", "create")["key"]
        with deployment.start("up", "--port", 0) as (ready, server):
            yield System(name, deployment, ready["url"], key, server, settles=True)
        deployment.audit()


@contextmanager
def _with_workers(servers: Servers) -> Iterator[System]:
    """Give workers a core of their own, as elsewhere a machine: the crowd would have most of it."""
    with _serving(servers) as alone, alone.deployment.start("work", "all") as (_, workers):
        cores = sorted(os.sched_getaffinity(0))
        for process in (0, alone.server.process.pid):  # 0: this one, and the crowd that it starts
            os.sched_setaffinity(process, cores[:1])
        os.sched_setaffinity(workers.process.pid, cores[1:] or cores)
        try:
            yield replace(alone, name="serve and work", settles=True)
        finally:
            os.sched_setaffinity(0, cores)
        alone.deployment.audit()


@contextmanager
def _serving(servers: Servers) -> Iterator[System]:
    with ExitStack() as stack:
        data = Path(stack.enter_context(TemporaryDirectory(prefix="conveyor-overload-")))
        database = stack.enter_context(servers.database())
        deployment = Deployment(data, database, stack.enter_context(servers.queues()))
        deployment.prepare()
        key = deployment.run("keys", "create")["key"]
        ready, server = stack.enter_context(deployment.start("serve", "--port", 0))
        yield System("serve", deployment, ready["url"], key, server, settles=False)


def _overload(system: System, full: float, seconds: float, *options: str) -> dict[str, Any]:
    health = Health(system.url)
    health.start()
    begun = time.time()
    offered = system.crowd(full * TIMES, seconds, *options)
    health.stop()
    times = system.settled()
    lost = [i for i in offered.pop("ids") if i not in times or (system.settles and not times[i])]
    assert not lost, f"{len(lost)} orders were answered and are not there, or not settled"
    until = (begun + seconds) * 1000
    settled = sum(begun * 1000 <= at < until for at in times.values() if at)
    refused = sum(offered["statuses"].get(status, 0) for status in ("429", "503"))
    figures = (
        f"{system.name} {' '.join(options)}",
        round(full),
        round(full * TIMES),
        round(offered["statuses"].get("202", 0) / seconds),
        round(settled / seconds),
        offered["accepted_p99_ms"],
        round(refused / seconds),
        offered["refused_p99_ms"],
        offered["broken"] + offered["unanswered"] + offered["without_retry_after"],
        round(health.p99, 1),
        round(health.times[-1], 1),
        round(system.server.peak_bytes() / MIB),
    )
    more = {"probes_failed": health.failed, "probes": len(health.times), "offered": offered}
    return dict(zip(COLUMNS, figures, strict=True)) | more
