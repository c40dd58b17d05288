"""What takes seconds, and is the same until its sources change: made once, for all processes."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".venv-deploy" / "bin"
LOCK = ROOT / "requirements" / "deploy.txt"
REMEMBERED = ROOT / "build" / "deploy"


def tool(name: str) -> str:
    """Give the path of a tool that checks `deploy/`."""
    path = TOOLS / name
    assert path.exists(), f"{path} is missing: make .venv-deploy/.installed"
    return str(path)


def remembered(sources: Iterable[bytes], make: Callable[[], str]) -> str:
    """Give what was made of these sources by the tools of the lock, or make it."""
    digest = hashlib.sha256(LOCK.read_bytes())
    for source in sources:
        digest.update(hashlib.sha256(source).digest())
    REMEMBERED.mkdir(parents=True, exist_ok=True)
    path = REMEMBERED / digest.hexdigest()
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever comes second waits, and finds it made
        if not path.exists():
            made = make()
            half = path.with_suffix(".half")
            half.write_text(made, encoding="utf-8")
            half.replace(path)
    return path.read_text(encoding="utf-8")
