"""What holds for all tests."""

import gc
import os
import tempfile
from collections.abc import Iterator

import pytest
from tests.cli.driver import SIMULATED
from tests.servers.memory import in_memory_for_all
from tests.servers.postgres import Postgres, postgres_server

os.environ.update(SIMULATED)
if place := in_memory_for_all():
    tempfile.tempdir = os.environ["TMPDIR"] = str(place)
for name in [it for it in os.environ if it.startswith("OTEL_")]:
    del os.environ[name]  # traces go where a test says, and nowhere else

# Collecting makes a million objects and no garbage: looking for some takes a quarter of its time.
gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage again, but seldom, and never look through what is kept to the end anyway."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.fixture(scope="session")
def postgres_of_all() -> Iterator[Postgres]:
    """A server for whoever needs databases of their own on it, and nothing else of it."""
    with postgres_server(durable=False) as server:
        yield server


@pytest.fixture(scope="module")
def postgres(postgres_of_all: Postgres) -> Iterator[Postgres]:
    """The same; what was made on it goes with the module that asked for it."""
    with postgres_of_all.shared() as server:
        yield server
