"""What holds for all tests."""

import os

from tests.cli.driver import SIMULATED

os.environ.update(SIMULATED)
for name in [it for it in os.environ if it.startswith("OTEL_")]:
    del os.environ[name]  # traces go where a test says, and nowhere else
