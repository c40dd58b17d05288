"""One instance of a function: an event loop and an open system, from one invocation to the next.

Between invocations an instance stands still, and may never wake: nothing that an invocation began
may be left over in the next one, which would find its leases gone and its deadlines passed.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, Protocol, TypeVar

from conveyor.adapters.steady_clock import since_boot_seconds
from conveyor.core.errors import ConveyorError
from conveyor.core.outage import surviving
from conveyor.core.tracing import Tracer
from conveyor.entrypoints.aws_lambda.secrets import Secrets
from conveyor.entrypoints.logs import write_logs_of_function
from conveyor.settings import EMBEDDED, Settings
from conveyor.system.built_in import built_in
from conveyor.system.composition import App
from conveyor.system.opening import open_app

T = TypeVar("T")

log = logging.getLogger(__name__)

HAND_BACK_SECONDS = 3.0
"""How long before the function's time-out what is not done is handed back."""
LAST_SECONDS = 1.0
"""How long before it whatever is still under way is broken off: the answer must be out by then."""
FLUSH_SECONDS = 1.0
"""How long an invocation waits, when all else is done, for whoever takes its traces."""
ANSWER_SECONDS = 0.3
"""How long before the time-out it waits for nobody any more."""
DRIVER = "psycopg"
CONNECTIONS = 1
"""To the database: an instance does one thing at a time, and there may be a thousand of them."""


class Context(Protocol):
    """What Lambda tells of an invocation; the part that is used here."""

    def get_remaining_time_in_millis(self) -> int:
        """Give how much of its time the invocation has left."""
        ...


class NotSharedError(ConveyorError):
    """The settings name an embedded part: each instance of a function would have one of its own."""

    def __init__(self) -> None:
        super().__init__(
            "functions share nothing but what is behind CONVEYOR_DATABASE_URL=postgresql://... and "
            "CONVEYOR_QUEUE_URL=sqs://...: set both"
        )


class Instance:
    """Opens a system at the first invocation, and runs work over it."""

    def __init__(self, settings: Settings | None = None) -> None:
        """`settings`: default: the environment's.

        What opening a system imports is imported here: while a function starts, Lambda lends it
        more of a processor than the memory of a small one is worth.
        """
        built_in()
        import_module(DRIVER)
        self._settings = settings
        self._secrets = Secrets()
        self._loop = asyncio.new_event_loop()
        self._app: App | None = None
        self._tracer: Tracer | None = None
        self._lasting: set[asyncio.Task[Any]] = set()
        asyncio.set_event_loop(self._loop)

    def run(self, work: Callable[[App], Awaitable[T]], *, goes_on: bool = False) -> T:
        """Run work to its end, and end whatever it has left behind.

        `goes_on`: the invocation has run some already, and knows what time it is.

        Raises `NotSharedError`, `SecretError`, what opening a system raises, and what `work`
        raises.
        """
        if not goes_on and self._secrets.refresh(since_boot_seconds()) and self._app is not None:
            log.warning("a secret has changed: all is opened anew")
            self._loop.run_until_complete(self._app.close())
            self._app = self._tracer = None
        return self._loop.run_until_complete(self._run(work, goes_on=goes_on))

    def hand_on(self, context: Context) -> None:
        """Send what was told of orders as traces: the instance stands still from now on.

        It keeps to `FLUSH_SECONDS` and to what the invocation has left, and fails nothing.
        """
        seconds = min(FLUSH_SECONDS, seconds_left(context) - ANSWER_SECONDS)
        if self._tracer is not None and seconds > 0:
            with surviving(log, "what is told of orders as traces could not be sent"):
                self._loop.run_until_complete(self._tracer.flush(seconds))

    def later(self, seconds: float, what: Callable[[], object]) -> asyncio.TimerHandle:
        """Do something in so many seconds, should the loop run then; to be cancelled before."""
        return self._loop.call_later(max(seconds, 0), what)

    async def _run(self, work: Callable[[App], Awaitable[T]], *, goes_on: bool) -> T:
        if self._app is None:
            self._app = await self._opened()
            self._lasting = asyncio.all_tasks()
            gc.freeze()
            gc.enable()
        if self._app.parts.timekeeper is not None and not goes_on:
            await self._app.parts.timekeeper.follow_once()
        try:
            return await work(self._app)
        finally:
            await self._end_what_is_left()

    async def _opened(self) -> App:
        settings = self._settings or Settings(database_connections=CONNECTIONS)
        if settings.database_path is not None or settings.queue_url.startswith(EMBEDDED):
            raise NotSharedError
        write_logs_of_function(settings)
        if self._tracer is not None:  # what it was for was broken off
            await self._tracer.close()
        app = await open_app(settings, traced=True)
        self._tracer = app.parts.tracer
        return app

    async def _end_what_is_left(self) -> None:
        left = asyncio.all_tasks() - self._lasting - {asyncio.current_task()}
        if not left:
            return
        for task in left:
            log.warning("broken off with the invocation: %s", task.get_name())
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        # What they were in the middle of is of no use to anybody: the next one opens anew. As after
        # a crash nothing is lost by it.
        self._app = None


def seconds_left(context: Context) -> float:
    """Give how many seconds the invocation has left."""
    return context.get_remaining_time_in_millis() / 1000
