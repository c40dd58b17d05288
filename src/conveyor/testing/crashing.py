"""The points at which a process can die: around commits and calls, and in its loop."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from conveyor.adapters.sqlite.database import SqliteDatabase
from conveyor.core.tables import outbox
from conveyor.testing.loop import ProcessLoop

QUEUE_CALLS = frozenset({"send", "receive", "delete", "set_visibility"})
NOTHING_HAPPENED = "nothing happened"
"""A boundary at a commit that changes nothing, or behind a receive that gave no message."""
_NEXT_DUE = sa.select(sa.func.min(outbox.c.due_at))
COMPILED: dict[Any, Any] = {}
"""Statements for all lives: to compile its own is half of the work of a short one."""


class Crash(KeyboardInterrupt):
    """The process dies here. Asyncio lets a KeyboardInterrupt out of its loop at once."""


class Boundaries:
    """Keeps the name of every point at which a process can die, and dies at the chosen one."""

    def __init__(self, crash_at: int | None = None) -> None:
        self.crash_at = crash_at
        self.names: list[str] = []
        self.dead = False

    def cross(self, name: str) -> None:
        """Pass the boundary of this name, or die."""
        if self.dead:
            raise Crash
        self.names.append(name)
        if len(self.names) == self.crash_at:
            self.dead = True
            raise Crash


class CrashingLoop(ProcessLoop):
    """Can die whenever it has run what was to be run at once."""

    def __init__(self, boundaries: Boundaries, elapsed: float) -> None:
        super().__init__(elapsed)
        self._boundaries = boundaries

    def _run_once(self) -> None:
        self._boundaries.cross("round")
        super()._run_once()


@cache
def _dialect() -> sa.Dialect:
    engine = sa.create_engine("sqlite://")
    with engine.connect():
        return engine.dialect  # it knows what it learns from a connection


def _share(connection: sa.Connection) -> sa.Connection:
    """Let a connection have the statements of all lives."""
    connection.dialect = connection.engine.dialect = _dialect()
    connection.execution_options(compiled_cache=COMPILED)
    return connection


class CrashingDatabase(SqliteDatabase):
    """Can die before and after each commit, which share a step of the loop with other work."""

    def __init__(self, path: Path, boundaries: Boundaries) -> None:
        super().__init__(path, inline=True)
        self.boundaries = boundaries
        self.committed: Callable[[], None] = lambda: None
        """Called once something was changed."""
        self._changes = (0, 0)
        _share(self._writer)
        # A process dies here and never its machine: to wait for the disk would show nothing.
        self._driver.execute("PRAGMA synchronous = OFF")

    @property
    def _driver(self) -> Any:
        return self._writer.connection.driver_connection

    def _open_reader(self) -> sa.Connection:
        return _share(super()._open_reader())

    async def _sync(self) -> None:
        (schema,) = self._driver.execute("PRAGMA schema_version").fetchone()
        changes = self._driver.total_changes, schema
        if changes == self._changes:
            self.boundaries.cross(NOTHING_HAPPENED)
            await super()._sync()
            return
        self.boundaries.cross("before commit")
        await super()._sync()
        self._changes = changes
        self.committed()
        self.boundaries.cross("after commit")

    def next_due_ms(self) -> int | None:
        """Say when something is owed by itself; None: never."""
        due: int | None = self._read(lambda tx: tx.execute(_NEXT_DUE).scalar())
        return due


class CrashingCalls:
    """Any port: can die before and after each call of one of its methods."""

    def __init__(
        self, port: object, boundaries: Boundaries, methods: frozenset[str] | None = None
    ) -> None:
        """Wrap it; `methods` are those that matter, None: all that are awaited."""
        self._port, self._boundaries, self._methods = port, boundaries, methods

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._port, name)
        awaited = inspect.iscoroutinefunction(attribute)
        if not awaited if self._methods is None else name not in self._methods:
            return attribute

        async def crossing(*args: Any, **kwargs: Any) -> Any:
            self._boundaries.cross(f"before {name}")
            result = await attribute(*args, **kwargs)
            received_none = name == "receive" and not result
            self._boundaries.cross(NOTHING_HAPPENED if received_none else f"after {name}")
            return result

        return crossing
