"""What these tests share."""

from pathlib import Path

import pytest
from tests.servers.memory import tmp_path

__all__ = ["tmp_path"]


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each has a directory for its embedded queue, which one process owns at a time."""
    monkeypatch.chdir(tmp_path)
