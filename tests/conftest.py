"""What holds for all tests."""

import gc
import os

from tests.cli.driver import SIMULATED

os.environ.update(SIMULATED)
for name in [it for it in os.environ if it.startswith("OTEL_")]:
    del os.environ[name]  # traces go where a test says, and nowhere else

# Collecting makes a million objects and no garbage: looking for some takes a quarter of its time.
gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage again, but never look through what is kept to the end anyway."""
    gc.freeze()
    gc.enable()
