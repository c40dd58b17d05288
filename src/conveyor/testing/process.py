"""One process of a simulated system: it starts, stands still, hangs, dies and comes back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from conveyor.core.ambient import Ambient
from conveyor.core.errors import ConveyorError
from conveyor.system.composition import App
from conveyor.system.parts import Parts
from conveyor.system.timekeeper import machine_timekeeper
from conveyor.testing.calling import OwnPort
from conveyor.testing.loop import OWNER
from conveyor.testing.ports import ProcessClock, QueuesPort
from conveyor.testing.simulated import in_a_process

if TYPE_CHECKING:
    from conveyor.testing.world import World

T = TypeVar("T")

REQUEST_SECONDS = 30.0
"""How long whoever asks a process for something waits for the answer."""


TRIES = 8
PATIENCE_SECONDS = 5.0


class UnheardError(Exception):
    """A process gave no answer: it is dead, stands still, or is too slow."""


class Process:
    """An `App` with everything that it is handed in, and what the kernel knows of it."""

    def __init__(self, world: World, number: int, clock_ms: int, seed: str) -> None:
        self.world = world
        self.number = number
        self.clock_ms = clock_ms
        self.stands = False
        self.dead = False
        self.rides = _rides(world.story.seed, seed)
        self.ended: str = ""
        """Why its loops ended by themselves; '' while they run."""
        self._withheld: list[asyncio.Handle] = []
        self._stop = asyncio.Event()
        self._context = copy_context()
        self._context.run(OWNER.set, self)
        # As on a machine: a wall clock that may step, and a source beside it that never does.
        self.timekeeper = machine_timekeeper(ProcessClock(self).now_ms, world.loop.time)
        rng = random.Random(seed)
        self.ambient = Ambient(self.timekeeper.clock, rng, world.loop.time)
        self.app = self._context.run(self._build)
        self._life: asyncio.Task[None] | None = None

    def _build(self) -> App:
        parts = Parts(
            self.ambient,
            self.world.store.port(self),
            QueuesPort(self),
            timekeeper=self.timekeeper,
            ports={
                **{port: OwnPort(self, port.name, it) for port, it in self.world.ports.items()},
                **in_a_process(self),
            },
        )
        settings = self.world.settings.model_copy(update={"ride_on": self.rides})
        return App(settings, parts, self.world.installed)

    def start(self) -> None:
        """Run all services."""
        self._life = self.world.loop.create_task(self._live(), context=self._context)

    async def _live(self) -> None:
        try:
            await self.app.open()
            await self.app.run(self.world.installed.services, self._stop)
        except BaseException as error:
            self.ended = f"{type(error).__name__}: {error}"
            raise
        self.ended = "its loops returned"

    def suspend(self) -> None:
        """Let it stand still, as by SIGSTOP: nothing of it runs, and nothing of it is told."""
        self.stands = True
        self.world.store.suspended(self)

    def resume(self) -> None:
        """Let it go on with what it held."""
        if not self.dead:
            self.stands = False
            handles, self._withheld = self._withheld, []
            self.world.loop.resume(handles)

    def kill(self) -> None:
        """Let it die, as by SIGKILL."""
        self.stands = self.dead = True
        self._withheld.clear()
        self.world.queues.hang_up(self)
        self.world.store.killed(self)

    def withhold(self, handle: asyncio.Handle) -> None:
        """See `Owner`."""
        if not self.dead:
            self._withheld.append(handle)

    async def ask(self, what: Callable[[App], Coroutine[Any, Any, T]]) -> T:
        """Ask it from outside, as by HTTP. Raises what it raises, and `UnheardError`."""
        if self.dead:
            raise UnheardError("it is dead")
        task = self.world.loop.create_task(what(self.app), context=self._context.copy())
        done, _ = await asyncio.wait({task}, timeout=REQUEST_SECONDS)
        if not done:
            task.add_done_callback(_hear)
            raise UnheardError("it gave no answer in time")
        return task.result()

    async def accompany(self, what: Callable[[App], Coroutine[Any, Any, T]]) -> T:
        """Do in it what takes its time, as a command that runs beside it. Raises as `ask` does."""
        task = self.world.loop.create_task(what(self.app), context=self._context.copy())
        while not task.done():
            if self.dead:
                raise UnheardError("it died meanwhile")
            await asyncio.wait({task}, timeout=REQUEST_SECONDS)
        return task.result()


async def insist(
    world: World, process: int, what: Callable[[App], Coroutine[Any, Any, T]]
) -> T | None:
    """Ask a process, and again, one after the other, until one answers; None: none did."""
    for go in range(TRIES):
        try:
            return await world.processes[(process + go) % len(world.processes)].ask(what)
        except (ConveyorError, UnheardError):
            await asyncio.sleep(PATIENCE_SECONDS * (go + 1))
    return None


def _rides(story: int, seed: str) -> bool:
    """Say whether a process lets orders ride on.

    In a quarter of the stories all of them do, in half of them none, since more can go wrong on a
    queue, and else some: as in a fleet in which the setting is being changed.
    """
    share = random.Random(f"{story} riding").choice((0.0, 0.0, 0.5, 1.0))
    return random.Random(f"{seed} rides").random() < share


def _hear(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
