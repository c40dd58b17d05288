"""An installation of Conveyor to measure: embedded, or on PostgreSQL, or on SQS as well."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cdnow import ENOUGH, Orders
from benchmarks.processes import Watched, conveyor, running, watched

from conveyor.flows.shop.cdnow import SKU

QUEUE_PREFIX = "bench-"
COMPLETED = "completed"


@dataclass(frozen=True)
class Deployment:
    """Where its data is; `database` is '' for SQLite, `endpoint_url` '' for the embedded queue.

    `more` are further settings, by their names in the environment.
    """

    data: Path
    database: str = ""
    endpoint_url: str = ""
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """Give the environment of all its processes."""
        settings = {
            "CONVEYOR_DATA": str(self.data),
            "CONVEYOR_DATABASE_URL": self.database,
            "CONVEYOR_PAYMENT_PROVIDER": "simulated",
            "CONVEYOR_CARRIER": "simulated",
        }
        if self.endpoint_url:
            queues = f"sqs://eu-west-1/{QUEUE_PREFIX}?endpoint_url={self.endpoint_url}"
            settings["CONVEYOR_QUEUE_URL"] = queues
        return settings | dict(self.more)

    def prepare(self) -> None:
        """Bring a new one to where orders can be placed."""
        if self.database:
            self.run("migrate")
        if self.endpoint_url:
            self.run("queues", "provision")
        self.run("stock", "set", SKU, ENOUGH)

    def run(self, *arguments: object) -> Any:  # noqa: ANN401 - JSON
        """Run a command that ends by itself, and give its JSON."""
        return conveyor(*arguments, settings=self.settings)

    def start(
        self, *arguments: object, name: str = ""
    ) -> AbstractContextManager[tuple[Any, Watched]]:
        """Run `up`, `serve` or `work` meanwhile."""
        return running(*arguments, settings=self.settings, name=name)

    def replay(
        self, orders: Orders, *arguments: object, settings: dict[str, str] | None = None
    ) -> tuple[Any, Watched]:
        """Replay a file and check what came of it."""
        result, process = watched(
            "replay", orders.path, *arguments, settings=self.settings | (settings or {})
        )
        assert result["placed"] == orders.count, result
        assert result["by_status"] == {COMPLETED: orders.count}, result
        assert result["captured"] == {"USD": orders.total}, result
        return result, process

    def audit(self) -> int:
        """Check every invariant; gives the number of orders that were examined."""
        report = self.run("audit")  # ends with 1, which raises, unless it is clean
        return int(report["orders"])


def services_of(text: str) -> Sequence[str]:
    """Give the services of one process, as an option names them: with commas between."""
    return text.split(",")
