"""How long an audit of many settled orders takes, by the clock and of the processor."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.deployment import Deployment
from benchmarks.processes import watched
from benchmarks.section import Section, below
from benchmarks.servers import Servers
from benchmarks.settled import filled
from benchmarks.sizes import Sizes

MOST_SECONDS = 10.0


def measure_audits(servers: Servers, sizes: Sizes) -> Section:
    """Audit the same orders on both databases; the processor time is that of the command alone."""
    rows, targets, runs = [], [], {}
    for name in ("SQLite", "PostgreSQL"):
        with TemporaryDirectory(prefix="conveyor-audit-") as home:
            place = Path(home) / "filled"
            with filled(servers, place, sizes.audited, on_postgres=name != "SQLite") as deployment:
                found = [_audit(deployment, sizes.audited) for _ in range(sizes.rounds)]
        took, used = (min(figures) for figures in zip(*found, strict=True))
        rows.append((name, f"{sizes.audited:,}", f"{took:.1f}", f"{used:.1f}"))
        targets.append(below(f"{name}: seconds for {sizes.audited:,} orders", took, MOST_SECONDS))
        runs[name] = found
    columns = ("database", "settled orders", "seconds", "of the processor")
    note = "The best of the rounds, from the command's start to its end."
    return Section("Audits", columns, rows, targets, [note], runs)


def _audit(deployment: Deployment, count: int) -> tuple[float, float]:
    begun = time.monotonic()
    report, process = watched("audit", settings=deployment.settings)
    took = time.monotonic() - begun
    assert report["orders"] == count, report
    return took, process.cpu_seconds()
