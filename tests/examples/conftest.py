"""The example package, installed as a user installs it: built, and away from our tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from tests.servers.once import once

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "examples" / "refund_request"
GIFT_CARDS = ROOT / "examples" / "gift_cards"


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the directory that `refund-request` is installed in; for the import path."""
    source = tmp_path_factory.mktemp("source") / "refund_request"
    shutil.copytree(SOURCE, source)  # building leaves its traces in the source's directory
    return once(tmp_path_factory, "refund-request", partial(install, source))


def install(source: Path, target: Path) -> None:
    """Build a package and install it into a directory away from our tree."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    install = ["install", "--no-index", "--no-deps", "--no-build-isolation", "--target"]
    done = subprocess.run(
        [*pip, *install, target, source], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
