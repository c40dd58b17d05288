"""One night in which very many subscriptions are due: every one is charged exactly once.

Two scans run at the same time, and in between everything that runs is killed. On SQLite that is
the one process that owns it; on PostgreSQL and SQS both scans and the worker, all processes.
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.deployment import Deployment
from benchmarks.processes import background
from benchmarks.section import Section
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes

PRICE = 999
SCANS = 2
KILL_AT = 0.4
"""Of the night's renewals, how many are done when everything is killed."""
LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 1_800.0
NEVER_BY_ITSELF = {"CONVEYOR_RENEWAL_SCAN_SECONDS": "0"}
COLUMNS = ("database and queue", "renewals", "started/s", "renewed/s", "renewed/s with the kill")


def measure_renewals(servers: Servers, sizes: Sizes) -> Section:
    """Renew on both: undisturbed, and with the kill."""
    rows, runs = [], []
    for name, count in (("SQLite", sizes.renewals), ("PostgreSQL, SQS", sizes.renewals_on_sqs)):
        on_sqs = name != "SQLite"
        with subscribed(servers, count, on_sqs=on_sqs) as night:
            started, renewed = night.undisturbed()
        with subscribed(servers, count, on_sqs=on_sqs) as night:
            killed = night.killed()
        figures = (count, round(started), round(renewed), round(killed))
        rows.append((name, *(f"{figure:,}" for figure in figures)))
        runs.append(dict(zip(COLUMNS, (name, *figures), strict=True)))
    note = (
        "Started: by one scan alone. Renewed: charged, extended and completed, from when the"
        " services start on what the scan has started. With the kill:"
        f" {SCANS} scans and the services begin together, all are killed when {KILL_AT:.0%} is"
        " done, and begin again. Each night ends with an audit, and the provider has been paid"
        f" exactly {PRICE} cents for each subscription."
    )
    return Section("Renewals", COLUMNS, rows, notes=[note], runs=runs)


@dataclass(frozen=True)
class Night:
    """An installation with so many subscriptions due."""

    deployment: Deployment
    count: int

    @property
    def services(self) -> tuple[object, ...]:
        """Give the command that runs everything."""
        return ("work", "all") if self.deployment.endpoint_url else ("up", "--port", 0)

    def undisturbed(self) -> tuple[float, float]:
        """Give the renewals started a second, and then renewed a second."""
        begun = time.monotonic()
        assert self.deployment.run("renewals", "run")["started"] == self.count
        started = time.monotonic()
        with self.deployment.start(*self.services):
            ready = time.monotonic()
            self._until(self.count)
            ended = time.monotonic()
            self._until_settled()
        self._check()
        return self.count / (started - begun), self.count / (ended - ready)

    def killed(self) -> float:
        """Give the renewals a second from the first start to the end, the kill included."""
        begun = time.monotonic()
        with self.deployment.start(*self.services) as (_, process), self._scans() as scans:
            self._until(round(self.count * KILL_AT))
            for victim in (process.process, *scans):
                victim.kill()
        with self.deployment.start(*self.services), self._scans() as scans:
            for scan in scans:
                scan.wait(PATIENCE_SECONDS)
            self._until(self.count)
            ended = time.monotonic()
            self._until_settled()
        self._check()
        return self.count / (ended - begun)

    @contextmanager
    def _scans(self) -> Iterator[list[subprocess.Popen[str]]]:
        with ExitStack() as stack:
            yield [
                stack.enter_context(
                    background("renewals", "run", settings=self.deployment.settings)
                )
                for _ in range(SCANS)
            ]

    def _until(self, renewed: int) -> None:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while self.deployment.run("renewals", "status")["renewals"].get("extended", 0) < renewed:
            assert time.monotonic() < give_up_at, "the renewals never ended"
            time.sleep(LOOK_SECONDS)

    def _until_settled(self) -> None:
        """Wait for the orders' last step, which comes after the subscription's extension."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while self.deployment.run("orders", "list", "--status", "processing", "--limit", 1):
            assert time.monotonic() < give_up_at, "the orders never ended"
            time.sleep(LOOK_SECONDS)

    def _check(self) -> None:
        status = self.deployment.run("renewals", "status")
        assert status["renewals"] == {"extended": self.count}, status
        assert status["subscriptions"] == {"active": self.count}, status
        report = self.deployment.run("audit")
        books = next(c for c in report["checks"] if c["name"] == "books_equal_provider")
        paid = {"captured": PRICE * self.count, "refunded": 0}
        assert books["figures"]["USD"] == {"ours": paid, "provider": paid}, books
        assert report["by_status"] == {"completed": self.count}, report["by_status"]


@contextmanager
def subscribed(servers: Servers, count: int, *, on_sqs: bool) -> Iterator[Night]:
    """Give a new installation with so many subscriptions, all due."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="conveyor-renewals-")))
        url = stack.enter_context(servers.database()) if on_sqs else ""
        queues = stack.enter_context(servers.queues()) if on_sqs else ""
        deployment = Deployment(home / "data", url, queues, NEVER_BY_ITSELF)
        deployment.prepare()
        deployment.run("plans", "set", "monthly", PRICE, "USD")
        lines = (f"s-{number},c-{number},monthly,card_ok\n" for number in range(count))
        file = home / "subscriptions.csv"
        file.write_text("id,customer,plan,card\n" + "".join(lines))
        assert deployment.run("subscriptions", "import", file)["added"] == count
        yield Night(deployment, count)
