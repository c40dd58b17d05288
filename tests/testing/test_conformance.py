"""Somebody's own project subclasses what adapters promise, with pytest and nothing else of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = """
import random
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from conveyor.adapters.embedded_queue import EmbeddedQueues
from conveyor.adapters.sqlite import SqliteDatabase
from conveyor.core.ambient import Ambient
from conveyor.testing.conformance.databases import DatabaseConformance, DatabaseUnderTest
from conveyor.testing.conformance.queues import QueueConformance, QueuesUnderTest


class Clock:
    def now_ms(self):
        return time.time_ns() // 1_000_000


class OurQueues(EmbeddedQueues):
    pass


class OurDatabase(SqliteDatabase):
    pass


@dataclass(frozen=True)
class InAFile(DatabaseUnderTest):
    path: Path

    def open(self):
        return OurDatabase(self.path)


@pytest.fixture(scope="session")
def queues(tmp_path_factory):
    path = tmp_path_factory.mktemp("ours") / "queues.db"
    ambient = Ambient(Clock(), random.Random(1))
    return QueuesUnderTest(lambda: OurQueues(path, [], ambient), tells_cause=True, wakes=True)


class TestOurQueues(QueueConformance):
    pass


class TestOurDatabase(DatabaseConformance):
    @pytest.fixture
    def place(self, tmp_path):
        return InAFile(tmp_path / "ours.db")
"""
# What is no adapter: it deletes nothing, and commits what a failing function has written.
FORGETFUL = """
async def refuse(self, receipts):
    return list(receipts)

async def run(self, work):
    def whole(tx):
        try:
            return None, work(tx)
        except Exception as error:
            return error, None
    error, result = await SqliteDatabase.run(self, whole)
    if error:
        raise error
    return result

from conveyor.adapters.embedded_queue.queue import EmbeddedQueue
EmbeddedQueue.delete = refuse
OurDatabase.run = run
"""
CHOSEN = "after_a_kill or no_commit or never_comes_again"


def run(directory: Path, project: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on it as its author would."""
    (directory / "test_ours.py").write_text(project)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", CHOSEN]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


def test_what_keeps_the_promises_passes(tmp_path: Path) -> None:
    done = run(tmp_path, PROJECT)
    assert done.returncode == pytest.ExitCode.OK, done.stdout
    assert "4 passed" in done.stdout


def test_what_breaks_them_is_told(tmp_path: Path) -> None:
    done = run(tmp_path, PROJECT + FORGETFUL)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "TestOurQueues::test_what_is_deleted_never_comes_again[fifo]" in done.stdout
    assert "TestOurDatabase::test_no_commit_means_rollback" in done.stdout
    assert "3 failed, 1 passed" in done.stdout
