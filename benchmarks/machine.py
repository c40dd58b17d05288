"""On what it was measured."""

import os
import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.servers import Servers

PACKAGES = ("conveyor", "sqlalchemy", "psycopg", "aiobotocore", "dbos", "celery", "ministack")
GIBIBYTE = 1 << 30


def machine_facts(servers: Servers) -> dict[str, str]:
    """Give processor, memory and the versions of all that takes part."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "memory": f"{pages / GIBIBYTE:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "postgresql": servers.postgres_version(),
        **{name: _version(name) for name in PACKAGES},
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
