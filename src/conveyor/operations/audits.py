"""One audit at a time in a process: each reads everything there is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from conveyor.system.composition import App

if TYPE_CHECKING:
    from conveyor.operations.audit import AuditReport


class Audits:
    """Runs audits of a system; whoever asks while one runs is told what that one finds."""

    def __init__(self, app: App) -> None:
        """None is running."""
        self._app = app
        self._running: asyncio.Task[AuditReport] | None = None

    async def run(self) -> AuditReport:
        """Check every invariant. Who gives up waiting does not stop it for the others."""
        from conveyor.operations.audit import run_audit

        if self._running is None or self._running.done():
            self._running = asyncio.create_task(run_audit(self._app))
        return await asyncio.shield(self._running)
