"""The test of the test: a planted bug must be found, and soon."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conveyor.testing.planted import BUGS, OF_LOCKS
from conveyor.testing.planted.once import ONCE, STANDS_FOR
from conveyor.testing.planted.planting import bug, instead

MOST_RUNS = 100
# These are found in a few stories each; the others take hundreds: see `conveyor.testing.planted`.
SOON = (
    "acknowledge_first",
    "undo_one_less",
    "undo_one_less_food",
    "undo_one_less_travel",
    "no_sweeper",
    "ship_is_done",
    "ship_twice",
    "no_refund",
    "unknown_is_no_charge",
)
LATER = ("forget_first", "keyless", "no_fence", "no_reconciler")
"""Found in some dozens."""


@pytest.mark.parametrize(
    "name", [*SOON, *(pytest.param(name, marks=pytest.mark.soak) for name in LATER)]
)
def test_it_is_found(name: str) -> None:
    # A process of its own: a server that lives beside it is not to have the bug too.
    command = [sys.executable, "-m", "conveyor.testing.planted", name, "--most", str(MOST_RUNS)]
    searched = subprocess.run(command, capture_output=True, text=True, check=False)
    assert searched.returncode == 0, searched.stdout + searched.stderr


def test_there_are_thirty_and_each_is_taken_out_again() -> None:
    assert len(BUGS) >= 30
    for planted in (*BUGS, *OF_LOCKS):
        before = [vars(owner)[name] for owner, name, _ in planted.replaced]
        with planted.in_place():
            pass
        assert [vars(owner)[name] for owner, name, _ in planted.replaced] == before


def test_each_fault_that_the_system_once_had_is_among_them() -> None:
    names = {planted.name for planted in (*BUGS, *OF_LOCKS)}
    assert names >= STANDS_FOR.keys()
    assert set(STANDS_FOR.values()) == ONCE.keys()


def test_what_cannot_be_called_as_what_it_replaces_is_no_bug_to_be_found() -> None:
    class Owner:
        @staticmethod
        def right(one: int, *, named: str) -> str:
            return named * one

    misfit = bug("misfit", "", "shop", (Owner, "right", instead(lambda one, other: one + other)))

    with pytest.raises(TypeError, match="misfit: right cannot be called"), misfit.in_place():
        pass
    assert Owner.right(2, named="a") == "aa"
