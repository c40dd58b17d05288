"""Too much is offered, and something is killed or full meanwhile: each 202 is kept.

Small, so that it takes seconds; three times the full rate for a minute is `make bench`'s.
"""

from __future__ import annotations

import os
import resource
import signal
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.overload import Health
from tests.cli.driver import running, say
from tests.edge.crowding import Offering, each_is_kept, wait_patiently
from tests.edge.wire import ask
from tests.servers.ministack import AWS_TEST_ENVIRONMENT, ministack_server
from tests.servers.postgres import postgres_server
from tests.servers.process import free_port

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


def test_a_database_that_is_killed_under_load_keeps_its_word(tmp_path: Path) -> None:
    with postgres_server() as postgres:
        database = {"CONVEYOR_DATABASE_URL": postgres.fresh_database()}
        assert say("migrate", **database).code == 0
        say(*STOCK, "--data", tmp_path, **database)
        with running(tmp_path, **database) as (_, ready):
            offering = Offering(ready, 50, SECONDS)
            offering.start()
            assert wait_patiently(lambda: len(offering.seen()) > 100)
            for session in _sessions(postgres.pid)[:1]:
                os.kill(session, signal.SIGKILL)  # at which PostgreSQL ends all, and recovers
            offered = offering.end()
            assert not offered.broken
            assert set(offered.times) <= {HTTPStatus.ACCEPTED, *LATER}
            each_is_kept(ready, offered)


def test_a_queue_that_is_killed_under_load_keeps_its_word(tmp_path: Path) -> None:
    with ExitStack() as stack:
        sqs = stack.enter_context(ministack_server(port=free_port()))
        endpoint = f"sqs://eu-west-1/crowd-?endpoint_url={sqs.endpoint_url}"
        queues = AWS_TEST_ENVIRONMENT | {"CONVEYOR_QUEUE_URL": endpoint}
        assert say("queues", "provision", **queues).code == 0
        say(*STOCK, "--data", tmp_path, **queues)
        _, ready = stack.enter_context(running(tmp_path, **queues))
        offering = Offering(ready, 50, SECONDS)
        offering.start()
        assert wait_patiently(lambda: len(offering.seen()) > 100)
        os.kill(sqs.pid, signal.SIGKILL)
        seen = len(offering.seen())
        offered = offering.end()
        assert not offered.broken
        assert set(offered.times) <= {HTTPStatus.ACCEPTED, *LATER}
        assert len(offered.ids) > seen + 50  # orders are taken all the same
        # It comes back with nothing of what it had: neither messages nor queues.
        stack.enter_context(ministack_server(port=urlsplit(sqs.endpoint_url).port or 0))
        assert say("queues", "provision", **queues).code == 0
        each_is_kept(ready, offered)


def test_a_disk_that_is_full_under_load_is_said_and_keeps_its_word(tmp_path: Path) -> None:
    say(*STOCK, "--data", tmp_path)
    with running(tmp_path) as (process, ready):
        pid = process.popen.pid
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        offering = Offering(ready, 50, SECONDS)
        offering.start()
        assert wait_patiently(lambda: len(offering.seen()) > 100)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (DISK_BYTES, most))  # as if no more fitted
        offered = offering.end()
        assert offered.count(HTTPStatus.SERVICE_UNAVAILABLE)
        assert set(offered.times) <= {HTTPStatus.ACCEPTED, *LATER}
        assert ask(ready["url"], "/readyz").status == HTTPStatus.SERVICE_UNAVAILABLE
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
        assert wait_patiently(lambda: ask(ready["url"], "/readyz").status == HTTPStatus.OK)
        each_is_kept(ready, offered)


def _sessions(postmaster: int) -> list[int]:
    """Give the processes of PostgreSQL that serve somebody."""
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text(encoding="ascii")
    titles = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children.split()}
    return [pid for pid, title in titles.items() if b"127.0.0.1" in title]
