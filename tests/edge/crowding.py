"""A crowd at a process of its own: what it was promised, and whether that was kept."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
from benchmarks.cdnow import bodies
from benchmarks.open_loop import Crowd, Offered
from tests.cli.driver import Process

BODIES = 100
SETTLED_SECONDS = 60.0
LOOK_SECONDS = 0.2
SETTLED = {"completed", "refused", "cancelled", "parked"}
MIB = 1024 * 1024


class Offering(threading.Thread):
    """Keeps so many orders under way for so long, beside whatever else is done to the server."""

    def __init__(self, ready: Any, at_once: int, seconds: float) -> None:
        super().__init__(daemon=True)
        self._crowd = Crowd(ready["url"], ready["first_key"], bodies(BODIES))
        self._at_once, self._seconds = at_once, seconds
        self._name = f"crowd-{id(self)}"
        self.offered = Offered()

    def run(self) -> None:
        """Offer them."""
        work = self._crowd.saturate(self._at_once, self._seconds, self._name)
        self.offered = asyncio.run(work)

    def seen(self) -> list[str]:
        """Give the ids of the orders that were answered with 202 so far."""
        return list(self._crowd.offered.ids)

    def end(self) -> Offered:
        """Wait until all has been answered, or is broken."""
        self.join()
        return self.offered


def each_is_kept(ready: Any, offered: Offered) -> None:
    """Assert that each order that was answered with 202 is there by its id, and settles."""
    assert offered.ids, offered.times.keys()
    assert len(offered.ids) == offered.count(HTTPStatus.ACCEPTED)
    headers = {"authorization": f"Bearer {ready['first_key']}"}
    with httpx.Client(base_url=ready["url"], headers=headers, timeout=SETTLED_SECONDS) as client:
        assert wait_patiently(lambda: client.get("/v1/summary").json().get("open") == 0)
        statuses = Counter(_status(client, order_id) for order_id in offered.ids)
    assert set(statuses) <= SETTLED, statuses


def _status(client: httpx.Client, order_id: str) -> str:
    answer = client.get(f"/v1/orders/{order_id}")
    return str(answer.json().get("status", answer.status_code))


def wait_patiently(is_so: Callable[[], bool]) -> bool:
    """Look until it is so; whether it ever was."""
    ended = threading.Event()
    for _ in range(round(SETTLED_SECONDS / LOOK_SECONDS)):
        if is_so():
            return True
        ended.wait(LOOK_SECONDS)
    return False


def peak_mib(process: Process) -> float:
    """Give the most memory that a process has had."""
    status = Path(f"/proc/{process.popen.pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / MIB
