"""Readiness on virtual time: what hangs is named within seconds, and nobody waits longer for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, NoReturn

import pytest

from conveyor.core.errors import DatabaseUnavailableError
from conveyor.entrypoints.http.readiness import READY_SECONDS, Readiness
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine


@pytest.mark.parametrize("silent", ["database", "queue"])
def test_what_hangs_is_named_within_seconds(tmp_path: Path, silent: str) -> None:
    async def life(app: App) -> None:
        awake = asyncio.Event()

        async def hang(*_: object) -> NoReturn:
            await awake.wait()
            raise DatabaseUnavailableError("the database", "it was away")

        port: Any = app.engine.database if silent == "database" else _intake(app)
        method = "run" if silent == "database" else "depth"
        answers = getattr(port, method)
        setattr(port, method, hang)
        async with asyncio.timeout(READY_SECONDS + 1):
            [error] = await Readiness(app.engine).errors()
        assert error.field == silent
        assert "does not answer" in error.message
        setattr(port, method, answers)
        awake.set()

    Machine(tmp_path).run(life)


def _intake(app: App) -> Any:
    """Give the queue itself, beneath what may crash at it."""
    queues: Any = app.parts.queues
    return queues._queues.queue("intake")
