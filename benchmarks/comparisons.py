"""Conveyor beside its peers: in turns, so that whatever slows the machine slows both.

Each round runs every system once, the two of a pair one after the other. A ratio is judged by the
medians over all rounds; the ratios of single rounds show how much they differ.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.processes import run_module
from benchmarks.section import Section, Target, at_least, at_most, table
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes

Run = Callable[[], Any]
Runs = Mapping[str, Sequence[Any]]

EMBEDDED, ON_POSTGRES, ON_SQS = (
    "Conveyor, embedded",
    "Conveyor, PostgreSQL",
    "Conveyor, SQS and PostgreSQL",
)
ON_SQS_AND_SQLITE = "Conveyor, SQS and SQLite"
DBOS_WAL, DBOS_SHIPPED = "DBOS, SQLite in WAL mode", "DBOS, SQLite as shipped"
DBOS_POSTGRES, CELERY = "DBOS, PostgreSQL", "Celery, SQS"
RAW_SQLITE, RAW_POSTGRES = "raw SQL, SQLite", "raw SQL, PostgreSQL"
GROUPS = (10, 200)
SQS_WORKERS = ("--worker", "all")
"""Beside the replay, which runs the services too: best on two cores, see `sqs_layouts`."""


@dataclass(frozen=True)
class Pair:
    """Whom we are measured against, and how many times as fast we want to be; None: just shown."""

    ours: str
    theirs: str
    times: float | None = None


PAIRS = (
    Pair(EMBEDDED, DBOS_WAL, 15),
    Pair(EMBEDDED, DBOS_SHIPPED, 15),
    Pair(ON_POSTGRES, DBOS_POSTGRES, 8),
    Pair(ON_SQS, CELERY, 8),
    Pair(ON_SQS_AND_SQLITE, CELERY, 8),
    *(Pair(EMBEDDED, f"{RAW_SQLITE}, groups of {size}") for size in GROUPS),
    *(Pair(ON_POSTGRES, f"{RAW_POSTGRES}, groups of {size}") for size in GROUPS),
)


def compare(servers: Servers, sizes: Sizes) -> Section:
    """Run all rounds."""
    contenders = _contenders(servers, sizes)
    runs: dict[str, list[Any]] = {name: [] for name in contenders}
    for number in range(1, sizes.rounds + 1):
        for name, run in contenders.items():
            os.sync()  # what the one before left to be written is not this one's burden
            result = run()
            runs[name].append(result)
            print(f"round {number}: {name}: {_rate(result):,.0f}/s", file=sys.stderr)
    return _section(runs)


def _contenders(servers: Servers, sizes: Sizes) -> dict[str, Run]:
    conveyor = ["benchmarks.conveyor_runs"]
    if sizes.cdnow:
        conveyor += ["--cdnow", str(sizes.cdnow)]
    dbos, celery = "benchmarks.peers.dbos_peer", "benchmarks.peers.celery_peer"
    few, many = ["--orders", sizes.dbos], ["--orders", sizes.celery]
    return {
        EMBEDDED: lambda: run_module(*conveyor, "--orders", sizes.embedded),
        DBOS_WAL: lambda: _on_sqlite(dbos, *few),
        DBOS_SHIPPED: lambda: _on_sqlite(dbos, *few, "--journal", "delete"),
        **_raw(RAW_SQLITE, _on_sqlite, sizes),
        ON_POSTGRES: lambda: _on_postgres(servers, *conveyor, "--orders", sizes.postgres),
        DBOS_POSTGRES: lambda: _on_postgres(servers, dbos, *few),
        **_raw(RAW_POSTGRES, lambda *arguments: _on_postgres(servers, *arguments), sizes),
        ON_SQS: lambda: _on_sqs(servers, *conveyor, "--orders", sizes.sqs, *SQS_WORKERS),
        ON_SQS_AND_SQLITE: lambda: _on_queues(servers, *conveyor, "--orders", sizes.sqs),
        CELERY: lambda: _on_sqs(servers, celery, *many),
    }


def _raw(name: str, on: Callable[..., Any], sizes: Sizes) -> dict[str, Run]:
    counts = (sizes.raw_groups_of_10, sizes.raw_groups_of_200)

    def run(size: int, count: int) -> Run:
        options = ("--orders", count, "--group", size)
        return lambda: on("benchmarks.peers.raw_sql", *options)

    return {
        f"{name}, groups of {size}": run(size, count)
        for size, count in zip(GROUPS, counts, strict=True)
    }


def _on_sqlite(module: str, *arguments: object) -> Any:  # noqa: ANN401 - JSON
    with TemporaryDirectory(prefix="conveyor-peer-") as home:
        return run_module(module, "--database", f"sqlite:///{Path(home) / 'peer.db'}", *arguments)


def _on_postgres(servers: Servers, module: str, *arguments: object) -> Any:  # noqa: ANN401 - JSON
    with servers.database() as url:
        return run_module(module, "--database", url, *arguments)


def _on_queues(servers: Servers, module: str, *arguments: object) -> Any:  # noqa: ANN401 - JSON
    with servers.queues() as endpoint:
        return run_module(module, "--endpoint-url", endpoint, *arguments)


def _on_sqs(servers: Servers, module: str, *arguments: object) -> Any:  # noqa: ANN401 - JSON
    with servers.queues() as endpoint:
        return _on_postgres(servers, module, "--endpoint-url", endpoint, *arguments)


def _rate(run: Mapping[str, Any]) -> float:
    return float(run["orders_per_second"])


def _section(runs: Runs) -> Section:
    rounds = len(runs[EMBEDDED])
    columns = ("orders a second", *(f"round {n}" for n in range(1, rounds + 1)), "median")
    rows = [
        (name, *(f"{_rate(run):,.0f}" for run in of), f"{median(map(_rate, of)):,.0f}")
        for name, of in runs.items()
    ]
    targets = [target for pair in PAIRS if (target := _judge(pair, runs)) is not None]
    requests = median(run["sqs_requests_per_order"] for run in runs[ON_SQS])
    targets.append(at_most("SQS requests an order, under load", requests, 2.0))
    return Section("Rates, in turns", columns, rows, targets, [_ratios(runs)], dict(runs))


def _judge(pair: Pair, runs: Runs) -> Target | None:
    if pair.times is None:
        return None
    return at_least(f"{pair.ours} : {pair.theirs}", _of_medians(pair, runs), pair.times)


def _of_medians(pair: Pair, runs: Runs) -> float:
    return median(map(_rate, runs[pair.ours])) / median(map(_rate, runs[pair.theirs]))


def _ratios(runs: Runs) -> str:
    rows = []
    for pair in PAIRS:
        both = zip(runs[pair.ours], runs[pair.theirs], strict=True)
        ratios = [_rate(ours) / _rate(theirs) for ours, theirs in both]
        shown = (min(ratios), median(ratios), max(ratios), _of_medians(pair, runs))
        rows.append((f"{pair.ours} : {pair.theirs}", *(f"{ratio:.2f}" for ratio in shown)))
    columns = ("ratio", "smallest", "median", "largest", "of the medians")
    return "Ratios of single rounds, and of the medians:\n\n" + table(columns, rows)
