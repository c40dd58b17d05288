"""What holds for all tests."""

import gc
import os
import tempfile

from tests.cli.driver import SIMULATED
from tests.servers.memory import in_memory_for_all

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
