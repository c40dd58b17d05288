"""Each version of a flow of ours is judged by what is said of it, never by what another is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conveyor.flows import SHOP
from conveyor.testing.calls import UnknownVersionError, of_ours
from conveyor.testing.invariants.slips import OURS, Slips


def test_a_version_of_which_nothing_is_said_is_named() -> None:
    assert Slips()[SHOP.key] == OURS["shop@1"]
    with pytest.raises(UnknownVersionError, match=r"shop@2: conveyor\.testing\.invariants\.slips"):
        Slips()["shop@2"]
    with pytest.raises(UnknownVersionError, match=r"shop@2: conveyor\.testing\.calls"):
        of_ours(replace(SHOP, version=2))
