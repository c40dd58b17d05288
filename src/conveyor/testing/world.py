"""One simulated system: several processes, one database, one set of queues, and the outside."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from conveyor.core.step import Now
from conveyor.settings import Settings
from conveyor.system.installation import installation
from conveyor.system.tables import create_all
from conveyor.testing import lives, operators, outsiders, stage
from conveyor.testing.backstage import backstage
from conveyor.testing.invariants import machine
from conveyor.testing.invariants.slips import slips_of
from conveyor.testing.looking import look
from conveyor.testing.loop import OUTSIDE, START_MS, NothingToDoError, ProcessLoop
from conveyor.testing.own_flow import own_flow
from conveyor.testing.pace import LONGEST_OF_DAYS_SECONDS, LONGEST_SECONDS, Pace
from conveyor.testing.process import Process
from conveyor.testing.provider import Outside
from conveyor.testing.queues import QueueService
from conveyor.testing.quiet import Dues, until_quiet
from conveyor.testing.store import SqliteStore, Store
from conveyor.testing.story import Story
from conveyor.testing.town import open_town
from conveyor.testing.troubles import Troubles

SETTINGS: dict[str, Any] = {
    "webhook_secret": outsiders.SECRET,
    "max_receives": 5,
    "in_flight": 8,
    "backoff_cap_seconds": 60.0,
    "delivery_deadline_seconds": 60.0,
    "booking_hold_seconds": 120.0,
    "booking_wait_seconds": 240.0,
    "restaurant_deadline_seconds": 60.0,
    "offer_deadline_seconds": 30.0,
    "rider_silence_seconds": 120.0,
    "renewal_scan_seconds": 30.0,
}
AFTERWARDS_SECONDS = 10.0
LIVES_A_COLLECTION = 50
ROUNDS = 3
"""How often an operator redrives what is parked, once all is well again."""


@dataclass(slots=True)
class Violation:
    """An invariant that does not hold."""

    name: str
    what: str


@dataclass(slots=True)
class Outcome:
    """What a story came to."""

    story: Story
    violations: list[Violation]
    steps: int
    seconds: float
    tally: Counter[str] = field(default_factory=Counter)


class World:
    """Plays stories, one after the other; what does not change is made once."""

    def __init__(
        self, open_store: Callable[[ProcessLoop], Store] = SqliteStore, flow: str = "all"
    ) -> None:
        """Make it for stories of any flow of ours, or of this one that is installed beside them.

        Raises what `own_flow` does, and `ExtensionError`.
        """
        self.settings = Settings(data=Path("/nowhere"), **SETTINGS)
        self._installed = installation(self.settings)
        self.own = own_flow(self._installed, flow)
        if self.own is not None:
            self.settings = Settings(data=Path("/nowhere"), **{**SETTINGS, **self.own.settings})
        self.slips = slips_of(self._installed)
        self._lived = 0
        self.loop = ProcessLoop()
        self.store = open_store(self.loop)
        self._complete(create_all(_Direct(self.store), self._installed))
        self.store.note_tables()
        self.dues = Dues(self)
        longest = LONGEST_OF_DAYS_SECONDS if self.own else LONGEST_SECONDS
        self.pace = Pace(self.loop, self.dues.next_seconds, longest)

    def play(self, story: Story) -> Outcome:
        """Live a story from its beginning until all is quiet, and look at what is left."""
        self._begin(story)
        with backstage(self.pace, self.troubles):
            asyncio.set_event_loop(self.loop)
            try:
                self.loop.run_until_complete(self._live())
            except NothingToDoError as error:
                self.say("stuck", str(error))
            finally:
                asyncio.set_event_loop(None)
            steps, seconds = self.loop.steps, self.loop.elapsed
            self.loop.clear()
            self.store.abandon()
            self._bury_the_dead()
        tally: Counter[str] = Counter()
        for process in self.processes:
            for (what, _), count in process.app.engine.tally.items():
                tally[what] += count
        return Outcome(story, self.violations, steps, seconds, tally)

    def _bury_the_dead(self) -> None:
        """Collect what a life leaves, here, where nobody hears what it has to say.

        The processes of this life are garbage only with the next, and by then too old for the
        quick way: every so often all is looked through, or a soak would fill the memory.
        """
        self._lived += 1
        gc.collect(0 if self._lived % LIVES_A_COLLECTION else 2)

    def close(self) -> None:
        """Let go of the database and of the loop."""
        self.store.close()
        self.loop.close()

    def _begin(self, story: Story) -> None:
        self.story = story
        self.rng = random.Random(f"{story.seed} world")
        self.store.begin(story, self.committed)
        self.pace.clear()
        self.dues.clear()
        self.troubles = Troubles(self.loop, self.rng)
        self.queues = QueueService(self.loop, self._installed.queues, self.rng)
        self.queues.deliver = partial(self.troubles.deliver, self.queues)
        self.outside = Outside(self.loop, self.troubles.fate)
        self.outside.on_arrival = partial(outsiders.arrived, self)
        self._know_nothing()
        skew = 2_000 if story.faults else 1
        self.clocks = [self.rng.randrange(-skew, skew) for _ in range(self.store.processes)]
        self.orders_of = {
            e.facts["n"]: e.facts for e in story.events if e.kind in {"order", "subscribe"}
        }
        self.ports = lives.ports_of(self)
        """Whom the story's lives bind, over all deaths."""
        self.installed = self._installed.looping(
            {f["flow"] for f in self.orders_of.values()} - outsiders.PLAYED
        )
        self._births = 0
        self._latency = self.rng.choice((0.02, 0.3, 1.0, 2.0))
        self.processes = [self._born(number) for number in range(self.store.processes)]

    def _know_nothing(self) -> None:
        """Begin to note what is told to whom."""
        self.violations: list[Violation] = []
        self.answered: dict[int, str] = {}
        self.bodies: dict[int, dict[str, Any]] = {}
        """What was ordered, where a life says it."""
        self.taken_in: set[str] = set()
        self.turned_back: dict[str, operators.Promise] = {}
        self.to_refund: set[str] = set()
        """Completed orders of which an operator was told that their money goes back."""
        self.forgotten: set[str] = set()
        """Orders whose undoing, begun after the backup that was put back, the database forgot."""
        self.unpaid: set[str] = set()
        """Orders that asked for money, of which the backup that was put back knew nothing."""
        self.garbage: Counter[str] = Counter()
        """How much of it was sent to each queue."""
        self.stranger_ids = itertools.count()
        """Two lots of orders that nobody knows may come at the same moment."""
        self.restored = False
        self.caught_up = 0
        """How often an operator let renewals catch up."""

    async def _live(self) -> None:
        now = Now(START_MS)
        shape = next((e.facts["shape"] for e in self.story.events if e.kind == "town"), 2)
        self.store.run(lambda tx: open_town(tx, self.processes[0].app, shape, now))
        await lives.set_up(self)
        for process in self.processes:
            process.start()
        crowd = self.loop.create_task(outsiders.crowd(self), context=OUTSIDE.copy())
        playing = [stage.play(self, e) for e in self.story.events if e.kind in stage.PLAYS]
        await asyncio.gather(*playing)
        operators.resume_all(self)
        if await until_quiet(self):
            for _ in range(ROUNDS):
                parked = operators.parked(self)
                if not parked:
                    break
                machine.check_causes(self)
                for order_id in parked:
                    await operators.decide(self, 0, "redrive", order_id)
                if not await until_quiet(self):
                    break
        crowd.cancel()
        await asyncio.sleep(AFTERWARDS_SECONDS)  # until it is over by every process's clock
        await look(self)

    def say(self, name: str, what: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(name, what))

    # --- processes --------------------------------------------------------------------------------

    def _born(self, number: int) -> Process:
        self._births += 1
        return Process(self, number, self.clocks[number], f"{self.story.seed} {self._births}")

    def start(self, number: int) -> None:
        """Start a process anew in the place of a dead one, perhaps over a backup."""
        self.dues.clear()
        self.processes[number] = self._born(number)
        self.processes[number].start()

    def set_clocks(self, whose: list[int], step_seconds: float) -> None:
        """Let the clocks of these machines step."""
        for number in whose:
            self.clocks[number] += round(step_seconds * 1000)
            self.processes[number].clock_ms = self.clocks[number]

    def latency(self) -> float:
        """Give how long the outside takes, usually."""
        return self._latency * (0.5 + self.rng.random())

    def wire_seconds(self) -> float:
        """Give how long a transaction's way takes."""
        return self.rng.choice((0.0, 0.0, 0.001, 0.004, 0.02))

    def committed(self) -> None:
        """Something changed."""
        self.pace.happened()

    # --- what is told of it -----------------------------------------------------------------------

    def order_ids(self, number: int) -> list[str]:
        """Give the orders of the customer with this number."""
        if number in self.orders_of and self.orders_of[number]["flow"] == "renewal":
            like = f"s{number} %"
            found = self.store.rows("SELECT id FROM orders WHERE reference LIKE ?", like)
        else:
            found = self.store.rows("SELECT id FROM orders WHERE reference = ?", f"n{number}")
        return [order_id for (order_id,) in found]

    def number_of(self, order_id: str) -> int:
        """Give the number of the customer whose order this is; -1 when there is none."""
        found = self.store.rows("SELECT reference FROM orders WHERE id = ?", order_id)
        number = found[0][0][1:].partition(" ")[0] if found else ""
        return int(number) if number.isdecimal() else -1

    def timelines(self) -> list[str]:
        """Tell what the orders of the last story went through."""
        query = "SELECT order_id, at, event, step, attempt, detail FROM timeline ORDER BY id"
        return [
            f"{(at - START_MS) / 1000:9.3f} s  {order_id[-8:]}  {event} {step} {attempt} {detail}"
            for order_id, at, event, step, attempt, detail in self.store.rows(query)
        ]

    def _complete(self, work: Any) -> None:
        self.loop.run_until_complete(work)
        self.loop.clear()


@dataclass(slots=True)
class _Direct:
    """The store as a database, for setting it up."""

    store: Store
    dialect: str = ""  # creating tables is the same in all

    async def run(self, work: Any) -> Any:
        return self.store.run(work)

    read = examine = run

    async def close(self) -> None:
        return
