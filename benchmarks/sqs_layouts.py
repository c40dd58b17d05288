"""Which processes the services are best spread over on SQS, on this machine."""

from statistics import median
from typing import Any

from benchmarks.memory import EACH_BY_ITSELF
from benchmarks.processes import run_module
from benchmarks.section import Section
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes

ALL = ("--worker", "all")
LAYOUTS = {
    "replay alone": (),
    "replay, work all": ALL,
    "replay, 2 x work all": (*ALL, *ALL),
    "serve, work all": (*ALL, "--served"),
    "serve, 2 x work all": (*ALL, *ALL, "--served"),
    "serve, each service by itself": (
        *(option for service in EACH_BY_ITSELF for option in ("--worker", service)),
        "--served",
    ),
}


def compare_layouts(servers: Servers, sizes: Sizes) -> Section:
    """Run every layout in turns."""
    runs: dict[str, list[Any]] = {name: [] for name in LAYOUTS}
    for _ in range(sizes.rounds):
        for name, arguments in LAYOUTS.items():
            with servers.database() as database, servers.queues() as endpoint:
                backends = ("--database", database, "--endpoint-url", endpoint)
                count = ("--orders", sizes.sqs)
                runs[name].append(
                    run_module("benchmarks.conveyor_runs", *backends, *count, *arguments)
                )
    rows = [(name, *(_median(of, figure) for figure in FIGURES)) for name, of in runs.items()]
    return Section("SQS: layouts", ("processes", *FIGURES), rows, runs=runs)


FIGURES = ("orders_per_second", "sqs_requests_per_order")


def _median(runs: list[Any], figure: str) -> str:
    return f"{median(run[figure] for run in runs):,.2f}"
