"""A plugin for pytest: a fixture `machine`, a system of yours on virtual time.

def test_a_gift_is_given(machine):
gifts = machine("gift_cards:EXTENSION")
gifts.run(place_and_wait)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conveyor.testing.virtual import Machine

pytest.register_assert_rewrite("conveyor.testing.conformance")


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Machine]:
    """Give what makes a machine with an extension, named as in `CONVEYOR_EXTENSIONS`.

    Further arguments are settings, as in `machine("gifts:EXTENSION", max_receives=2)`.
    """
    from conveyor.settings import Settings
    from conveyor.system.installation import installation
    from conveyor.testing.virtual import Machine

    made: list[Machine] = []

    def make(extensions: str = "", **settings: Any) -> Machine:
        installed = installation(Settings(extensions=extensions))
        made.append(Machine(tmp_path / f"machine{len(made)}", settings, installed))
        return made[-1]

    return make
