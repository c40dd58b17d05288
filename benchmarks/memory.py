"""The most memory that each process ever had, over a long replay."""

from typing import Any

from benchmarks.processes import run_module
from benchmarks.section import Section, below
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes

PEAK_MB = 300
EACH_BY_ITSELF = ("orders", "payments", "inventory", "shipping")


def measure_memory(servers: Servers, sizes: Sizes) -> Section:
    """Replay embedded, then on SQS with every service a process of its own."""
    conveyor = ["benchmarks.conveyor_runs", "--orders"]
    source = ["--cdnow", sizes.cdnow] if sizes.cdnow else []
    apart = [option for service in EACH_BY_ITSELF for option in ("--worker", service)]
    runs: dict[str, Any] = {"embedded": run_module(*conveyor, sizes.long_replay, *source)}
    with servers.database() as database, servers.queues() as endpoint:
        backends = ["--database", database, "--endpoint-url", endpoint]
        runs["SQS"] = run_module(
            *conveyor, sizes.many_processes, *source, *backends, *apart, "--served"
        )
    rows = [
        (f"{where}: {name}", f"{run['orders']:,}", peak)
        for where, run in runs.items()
        for name, peak in run["peak_mb"].items()
    ]
    most = max(peak for _, _, peak in rows)
    targets = [below("MB, peak of any process", most, PEAK_MB)]
    return Section("Memory", ("process", "orders", "peak, MB"), rows, targets, runs=runs)
