"""Forty disturbed lives, a thousand in `make soak`: nothing may break in any of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conveyor.testing.story import FLOWS

LIVES = 8
MORE_LIVES = 200


@pytest.mark.parametrize("lives", [LIVES, pytest.param(MORE_LIVES, marks=pytest.mark.soak)])
@pytest.mark.parametrize("flow", [*FLOWS, "all"])
def test_nothing_breaks(flow: str, lives: int) -> None:
    # As its users do; and to live it stops the garbage collector, and silences logs.
    command = [sys.executable, "-m", "conveyor.testing.simulate", "--flow", flow]
    lived = subprocess.run(
        [*command, "--runs", str(lives), "--seed", "0"], capture_output=True, text=True, check=False
    )
    assert lived.returncode == 0, lived.stdout + lived.stderr
