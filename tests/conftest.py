"""What holds for all tests."""

import os

from tests.cli.driver import SIMULATED

os.environ.update(SIMULATED)
