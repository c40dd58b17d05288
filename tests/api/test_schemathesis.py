"""Schemathesis over the whole API: no 5xx, no drift between what is described and what is done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.serving import Server, stock_up

pytestmark = pytest.mark.timeout(660)  # it makes thousands of requests

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = 6
MORE_EXAMPLES = 50
EVERYTHING, OF_AN_ORDER = "", "^/v1/orders/"
SECONDS = 600
"""Far more than it needs: a machine may have much else to do."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A system of its own: its services are paused, its orders archived, its stock changed."""
    with Server(tmp_path_factory.mktemp("asked")) as running:
        stock_up(running.client())
        yield running


@pytest.mark.parametrize(
    ("phases", "paths", "examples"),
    [
        ("examples", EVERYTHING, EXAMPLES),
        ("coverage", OF_AN_ORDER, EXAMPLES),
        ("stateful", EVERYTHING, EXAMPLES),
        pytest.param("coverage", EVERYTHING, EXAMPLES, marks=pytest.mark.soak),
        pytest.param("fuzzing", EVERYTHING, MORE_EXAMPLES, marks=pytest.mark.soak),
    ],
    ids=["examples", "coverage of an order", "stateful", "coverage", "fuzzing"],
)
def test_schemathesis_finds_nothing(
    own: Server, tmp_path: Path, phases: str, paths: str, examples: int
) -> None:
    hooks = {
        "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks",
        "PYTHONPATH": str(Path.cwd()),
        "CONVEYOR_API_KEY": own.local_key,
    }
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION)]
    command += ["run", f"{own.url}/openapi.json"]
    command += [
        "--include-path-regex",
        paths,
        "--phases",
        phases,
        "--max-examples",
        str(examples),
        "--seed",
        "1",
        "--no-color",
    ]
    run = subprocess.run(
        command,
        env={**os.environ, **hooks},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert run.returncode == 0, run.stdout + run.stderr
