"""Several processes of one command under a parent, which starts again what dies.

The parent only watches: it opens neither database nor queue. Each process is in a session of its
own, so that Ctrl-C is the parent's to pass on, once; and each stops by itself when its standard
input ends, which is how it learns that the parent has died.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conveyor.core.errors import ConveyorError
from conveyor.core.supervision import wait_for_stop
from conveyor.entrypoints.server import stop_on_signals

FIRST_REST_SECONDS = 0.5
LONGEST_REST_SECONDS = 30.0
"""How long one that keeps dying rests before it is started again; doubled each time."""
STEADY_SECONDS = 60.0
"""Who has lived for so long has not died of how it was started."""

Tell = Callable[[str], None]


class NeverReadyError(ConveyorError):
    """A process ended before it was ready: it has said why, and the others would say the same."""

    def __init__(self, number: int, status: int) -> None:
        super().__init__(f"process {number} ended with status {status} before it was ready")
        self.number = number
        self.status = status


@dataclass(frozen=True, slots=True)
class Fleet:
    """So many processes that run these arguments of `conveyor`, and keep these files open.

    Each is to say a line on standard output once it is ready; `tell` is told what becomes of them.
    `of_each` gives what its number, from 1, adds to the arguments.
    """

    count: int
    arguments: Sequence[str]
    tell: Tell
    files: Sequence[int] = ()
    of_each: Callable[[int], Sequence[str]] = lambda _: ()

    async def run(self, on_ready: Callable[[bytes], None]) -> None:
        """Run them until a signal; all are stopped, cleanly, before this returns.

        `on_ready` is given the line of one of them once all are ready. Raises `NeverReadyError`.
        """
        stop, ready = asyncio.Event(), asyncio.Queue[bytes]()
        with stop_on_signals(stop):
            keeping = [
                asyncio.create_task(self._keep(number, stop, ready))
                for number in range(1, self.count + 1)
            ]
            announcing = asyncio.create_task(self._announce(ready, on_ready))
            try:
                done, _ = await asyncio.wait(keeping, return_when=asyncio.FIRST_EXCEPTION)
                stop.set()
                await asyncio.wait(keeping)
                for task in done:
                    task.result()
            finally:
                announcing.cancel()

    async def _announce(
        self, ready: asyncio.Queue[bytes], on_ready: Callable[[bytes], None]
    ) -> None:
        lines = [await ready.get() for _ in range(self.count)]
        on_ready(lines[0])

    async def _keep(self, number: int, stop: asyncio.Event, ready: asyncio.Queue[bytes]) -> None:
        """Keep one running, and started again whenever it ends; stop it at the stop."""
        loop = asyncio.get_running_loop()
        was_ready, rest = False, FIRST_REST_SECONDS
        while not stop.is_set():
            begun = loop.time()
            process = await self._start(number)
            stopping = asyncio.create_task(_stop(process, stop))
            try:
                if line := await self._line(process):
                    self._say(number, process, "is ready")
                    if not was_ready:
                        ready.put_nowait(line)
                    was_ready = True
                status = await process.wait()
            finally:
                stopping.cancel()
            if stop.is_set():
                self._say(number, process, "has stopped")
                return
            if not was_ready:
                raise NeverReadyError(number, status)
            rest = FIRST_REST_SECONDS if loop.time() - begun > STEADY_SECONDS else rest
            self._say(number, process, f"ended with {status}; started again in {rest:g} s")
            await wait_for_stop(stop, rest)
            rest = min(2 * rest, LONGEST_REST_SECONDS)

    async def _start(self, number: int) -> Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from conveyor.entrypoints.cli import main; main()"),
            *self.arguments,
            *self.of_each(number),
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=self.files,
            start_new_session=True,
        )

    async def _line(self, process: Process) -> bytes:
        return await process.stdout.readline() if process.stdout else b""

    def _say(self, number: int, process: Process, what: str) -> None:
        self.tell(f"Process {number} of {self.count} (pid {process.pid}) {what}.")


async def _stop(process: Process, stop: asyncio.Event) -> None:
    await stop.wait()
    if process.returncode is None:
        process.terminate()


def stop_without_parent(ask: Callable[[], None]) -> None:
    """Ask to stop when standard input ends: the parent has died."""
    loop, standard_input = asyncio.get_running_loop(), sys.stdin.fileno()

    def look() -> None:
        if not os.read(standard_input, 1):
            loop.remove_reader(standard_input)
            ask()

    loop.add_reader(standard_input, look)
