"""Which services are paused, as one process has seen last: its consumers take no more then.

It looks every few seconds, with one statement for all services, and never for a token. While
nothing can be read, it stays as it was; and before the first look nothing is received, so that a
process that is started anew takes no step of what was paused before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from conveyor.core.outage import surviving
from conveyor.core.paused_services import names
from conveyor.core.supervision import wait_for_stop
from conveyor.core.transaction import Database

log = logging.getLogger(__name__)

LOOK_SECONDS = 3.0
"""How long a process may not know yet that a service is paused, or goes on."""

Changed = Callable[[], None]
"""Is told that it is otherwise now with a service: see `Pauses.holds`."""


class Pauses:
    """What one process knows of the services that are paused."""

    def __init__(self, database: Database) -> None:
        """None is thought to be, until `run` begins to look."""
        self._database = database
        self._paused: frozenset[str] | None = frozenset()
        self._followers: dict[str, Changed] = {}
        self._unheard: set[str] = set()  # whose follower has failed: it is told again
        self._looking = asyncio.Lock()

    def holds(self, service: str) -> bool:
        """Whether no step of this service is to be taken now."""
        return self._paused is None or service in self._paused

    def look_first(self) -> None:
        """Hold every service until it is known which are paused; before anything is received."""
        self._paused = None

    def follow(self, service: str, changed: Changed) -> None:
        """Tell `changed` now, and whenever this service is paused or goes on."""
        self._followers[service] = changed
        changed()

    def leave(self, service: str) -> None:
        """Tell nobody any more."""
        self._followers.pop(service, None)
        self._unheard.discard(service)

    async def run(self, stop: asyncio.Event) -> None:
        """Look every `LOOK_SECONDS`, until told to stop."""
        while not stop.is_set():
            await self.look()
            await wait_for_stop(stop, LOOK_SECONDS)

    async def look(self) -> None:
        """Look now, and tell whoever follows; where nothing can be read, all stays as it was."""
        async with self._looking:  # or what was read first could be told last
            with surviving(log, "it is not known now which services are paused"):
                self._tell(await self._database.read(names))

    def _tell(self, found: frozenset[str]) -> None:
        before, self._paused = self._paused, found
        for service, changed in list(self._followers.items()):
            was = before is None or service in before
            if (now := service in found) != was or service in self._unheard:
                self._tell_one(service, changed)
            if before is not None and now != was:
                log.info("%s %s", service, "is paused" if now else "goes on")

    def _tell_one(self, service: str, changed: Changed) -> None:
        """Tell one, whose failing is nobody else's."""
        self._unheard.add(service)
        with surviving(log, "who takes the steps of %s could not be told of its pause", service):
            changed()
            self._unheard.discard(service)
