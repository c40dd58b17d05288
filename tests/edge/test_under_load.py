"""Too much is offered, and something is killed or full meanwhile: each 202 is kept.

Small, so that it takes seconds; three times the full rate for a minute is `make bench`'s.
"""

from __future__ import annotations

import signal
from http import HTTPStatus
from pathlib import Path

from benchmarks.overload import Health
from tests.cli.driver import running, say
from tests.edge.crowding import Offering, each_is_kept, wait_patiently

AT_ONCE = 600
SECONDS = 3.0
DISK_BYTES = 600_000
STOCK = ("stock", "set", "CD", 1_000_000_000)
LATER = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}


def test_overload_is_shed_and_health_is_answered(tmp_path: Path) -> None:
    say(*STOCK, "--data", tmp_path)
    with running(tmp_path) as (_, ready):
        health = Health(ready["url"])
        health.start()
        offering = Offering(ready, AT_ONCE, SECONDS)
        offering.start()
        offered = offering.end()
        health.stop()
        assert set(offered.times) <= {HTTPStatus.ACCEPTED, *LATER}
        assert offered.count(HTTPStatus.SERVICE_UNAVAILABLE)
        assert not offered.broken
        assert not offered.without_retry_after
        assert not health.failed
        each_is_kept(ready, offered)


def test_a_server_that_is_killed_under_load_keeps_its_word(tmp_path: Path) -> None:
    say(*STOCK, "--data", tmp_path)
    with running(tmp_path) as (process, ready):
        offering = Offering(ready, 50, SECONDS)
        offering.start()
        assert wait_patiently(lambda: len(offering.seen()) > 100)
        process.stop(signal.SIGKILL)
        offered = offering.end()
    assert offered.broken
    with running(tmp_path) as (_, again):
        each_is_kept(again | {"first_key": ready["first_key"]}, offered)
