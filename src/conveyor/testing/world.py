"""One simulated system: several processes, one database, one set of queues, and the outside."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conveyor.adapters.migrations import create_all
from conveyor.adapters.simulated import carrier_ledger, payment_ledger
from conveyor.app.audit import run_audit
from conveyor.app.composition import App
from conveyor.app.food import Food
from conveyor.app.installation import installation
from conveyor.messaging.queue import DEAD_LETTER_SUFFIX
from conveyor.messaging.step import Now
from conveyor.messaging.transaction import Tx
from conveyor.services.orders.intake_consumer import INTAKE
from conveyor.services.shipping.messages import Delivered, write_confirmation
from conveyor.services.shipping.webhooks import WebhookKey, write_secret
from conveyor.settings import Settings
from conveyor.testing import invariants, stage
from conveyor.testing.loop import OUTSIDE, START_MS, NothingToDoError, ProcessLoop
from conveyor.testing.pace import Pace, paced
from conveyor.testing.process import Process
from conveyor.testing.provider import Fate, Outside, ParcelTaken
from conveyor.testing.queues import Box, Message, QueueService
from conveyor.testing.store import SqliteStore, Store
from conveyor.testing.story import Event, Story
from conveyor.testing.town import open_town

SECRET = write_secret(b"a simulated secret of 32 bytes!!")
SETTINGS: dict[str, Any] = {
    "webhook_secret": SECRET,
    "max_receives": 5,
    "backoff_cap_seconds": 60.0,
    "delivery_deadline_seconds": 60.0,
    "booking_hold_seconds": 120.0,
    "booking_wait_seconds": 240.0,
    "restaurant_deadline_seconds": 60.0,
    "offer_deadline_seconds": 30.0,
    "rider_silence_seconds": 120.0,
    "renewal_scan_seconds": 30.0,
}
BOUND_SECONDS = 4 * 3600.0
"""By when, after the last event, everything has settled or is parked."""
FAR_SECONDS = 12 * 3600.0
"""What awaits something that is further off than this is left to it."""
LOST_WITH_A_BACKUP = frozenset(
    {"books_equal_provider", "undone_ships_nothing", "completed_has_arrived", "shipped_once"}
)
"""What the audit rightly finds once a backup has brought back an older state than the outside's."""
AFTERWARDS_SECONDS = 10.0
AUDIT_EACH = 4
"""The audit looks at every fourth story: it costs as much as all else."""
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

    def __init__(self, open_store: Callable[[ProcessLoop], Store] = SqliteStore) -> None:
        self.loop = ProcessLoop()
        self.settings = Settings(data=Path("/nowhere"), **SETTINGS)
        self.installed = installation(self.settings)
        self.store = open_store(self.loop)
        self._complete(create_all(_Direct(self.store)))
        self.store.run(payment_ledger.create)
        self.store.run(carrier_ledger.create)
        self.store.note_tables()
        self.pace = Pace(self.loop, self._next_due)
        self._looked = -1
        """After which event `_due` was looked up."""
        self._due: int | None = None
        self._key = WebhookKey([SECRET])

    def play(self, story: Story) -> Outcome:
        """Live a story from its beginning until all is quiet, and look at what is left."""
        self._begin(story)
        with quiet_logs(), self._patched():
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
            gc.collect(0)  # here, where nobody hears what the dead have to say
        tally: Counter[str] = Counter()
        for process in self.processes:
            for (what, _), count in process.app.engine.tally.items():
                tally[what] += count
        return Outcome(story, self.violations, steps, seconds, tally)

    def close(self) -> None:
        """Let go of the database and of the loop."""
        self.store.close()
        self.loop.close()

    def _begin(self, story: Story) -> None:
        self.story = story
        self.rng = random.Random(f"{story.seed} world")  # noqa: S311 - repeatable
        self.store.begin(story, self.committed)
        self.pace.clear()
        self._looked, self._due = -1, None
        self.queues = QueueService(self.loop, self.installed.queues, self.rng)
        self.queues.deliver = self._deliver
        self.outside = Outside(self.loop, self._fate)
        self.outside.on_arrival = self._arrived
        self.violations: list[Violation] = []
        self.troubles: list[Event] = []
        self.used: Counter[int] = Counter()
        skew = 2_000 if story.faults else 1
        self.clocks = [self.rng.randrange(-skew, skew) for _ in range(self.store.processes)]
        self.answered: dict[int, str] = {}
        self.flows: dict[int, str] = {}
        self.taken_in: set[str] = set()
        self.turned_back: dict[str, float] = {}
        self.forgotten: set[str] = set()
        """Orders whose undoing, begun after the backup that was put back, the database forgot."""
        self.restored = False
        self.orders_of = {
            e.facts["n"]: e.facts for e in story.events if e.kind in {"order", "subscribe"}
        }
        self._births = 0
        self._latency = self.rng.choice((0.02, 0.3, 1.0, 2.0))
        self.processes = [self._born(number) for number in range(self.store.processes)]

    async def _live(self) -> None:
        now = Now(START_MS)
        shape = next((e.facts["shape"] for e in self.story.events if e.kind == "town"), 2)
        self.store.run(lambda tx: open_town(tx, self.processes[0].app, shape, now))
        for process in self.processes:
            process.start()
        crowd = self.loop.create_task(self._crowd(), context=OUTSIDE.copy())
        playing = [self._play(e) for e in self.story.events if e.kind in stage.PLAYS]
        await asyncio.gather(*playing)
        if await self._until_quiet():
            for _ in range(ROUNDS):
                parked = stage.parked(self)
                if not parked:
                    break
                invariants.check_causes(self)
                for order_id in parked:
                    await stage.decide(self, 0, "redrive", order_id)
                if not await self._until_quiet():
                    break
        crowd.cancel()
        await asyncio.sleep(AFTERWARDS_SECONDS)  # until it is over by every process's clock
        await self._check()

    async def _play(self, event: Event) -> None:
        await asyncio.sleep(event.at)
        try:
            await stage.PLAYS[event.kind](self, event)
        except Exception as error:  # noqa: BLE001 - whoever asked got no answer but this
            self.say("request_breaks", f"{event.kind}: {type(error).__name__}: {error}")

    async def _check(self) -> None:
        invariants.check(self)
        if not self.violations and self.story.seed % AUDIT_EACH == 0:
            self.store.run(self._write_ledgers)
            report = await run_audit(self.processes[0].app)
            for finding in report.findings:
                if finding.violations and not (
                    self.restored and finding.name in LOST_WITH_A_BACKUP
                ):
                    self.say(f"audit.{finding.name}", str(finding.examples[:3]))

    def _write_ledgers(self, tx: Tx) -> None:
        """Write the outside's books where the audit reads them."""
        payment_ledger.add(tx, self.outside.entries)
        for parcel in self.outside.parcels.values():
            at = None if parcel.arrives_at is None else START_MS + round(parcel.arrives_at * 1000)
            taken = (parcel.key, parcel.order_id, parcel.tracking, START_MS)
            carrier_ledger.take(tx, [carrier_ledger.Entry(*taken, at, None)])

    def say(self, name: str, what: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(name, what))

    # --- processes --------------------------------------------------------------------------------

    def _born(self, number: int) -> Process:
        self._births += 1
        return Process(self, number, self.clocks[number], f"{self.story.seed} {self._births}")

    def start(self, number: int) -> None:
        """Start a process anew in the place of a dead one, perhaps over a backup."""
        self._looked = -1
        self.processes[number] = self._born(number)
        self.processes[number].start()

    def set_clocks(self) -> None:
        """Let each process have the clock of its machine."""
        for process in self.processes:
            process.clock_ms = self.clocks[process.number]

    # --- what goes wrong --------------------------------------------------------------------------

    def trouble(self, what: str, process: Process, queue: str = "") -> str:
        """Say how a request fails now; '' when it does not."""
        kind, _, call = what.partition(".")
        for event in self.troubles:
            facts = event.facts
            if event.kind != {"database": "database", "queue": "queues"}[kind]:
                continue
            if kind == "database" and facts["process"] not in {-1, process.number}:
                continue
            if kind == "queue" and facts["call"] not in {"", call}:
                continue
            if kind == "queue" and not queue.endswith(facts["queue"]):
                continue
            if self._use(event):
                return str(facts["how"])
        return ""

    def _use(self, event: Event) -> bool:
        self.used[id(event)] += 1
        return self.used[id(event)] <= int(event.facts.get("times", 10**9))

    def _fate(self, operation: str, _order_id: str) -> Fate:
        for event in self.troubles:
            facts = event.facts
            if event.kind == "provider" and facts["operation"] in {"", operation}:
                if facts["how"] == "declined" and operation in {"void", "status", "lookup"}:
                    continue
                if self._use(event):
                    return Fate(facts["how"], facts["takes"])
        return Fate()

    def _deliver(self, box: Box, message: Message) -> bool:
        name = box.spec.name
        for event in self.troubles:
            facts = event.facts
            if event.kind != "messages" or name.endswith(DEAD_LETTER_SUFFIX):
                continue
            if facts["queue"] not in {"", name}:
                continue
            if facts["how"] == "double":
                self.queues.copy(box, message, facts["takes"])
            elif facts["how"] == "late":
                message.visible_at = self.loop.elapsed + facts["takes"] * self.rng.random()
                message.delayed = True
            elif name != INTAKE:
                return False
        return True

    def latency(self) -> float:
        """Give how long the outside takes, usually."""
        return self._latency * (0.5 + self.rng.random())

    def wire_seconds(self) -> float:
        """Give how long a transaction's way takes."""
        return self.rng.choice((0.0, 0.0, 0.001, 0.004, 0.02))

    def committed(self) -> None:
        """Something changed."""
        self.pace.happened()

    # --- the outside ------------------------------------------------------------------------------

    def _arrived(self, parcel: ParcelTaken) -> None:
        self.loop.create_task(self._tell(parcel), context=OUTSIDE.copy())

    async def _tell(self, parcel: ParcelTaken) -> None:
        body = write_confirmation(Delivered(parcel.order_id, parcel.tracking), START_MS)
        for go in range(6):
            now = START_MS + round(self.loop.elapsed * 1000)
            headers = self._key.sign(f"msg_{parcel.tracking}", body, now)
            process = self.rng.choice(self.processes)
            try:
                await process.ask(_confirming(headers, body))
            except Exception:  # noqa: BLE001 - whatever it was, it was not heard
                await asyncio.sleep(2.0**go)
            else:
                return

    async def _crowd(self) -> None:
        if not any(facts["flow"] == "food" for facts in self.orders_of.values()):
            return
        never = asyncio.Event()
        while True:
            process = self.rng.choice(self.processes)
            with contextlib.suppress(Exception):  # they look again
                await process.ask(_look)
            await self.pace.rest(never, 1.0)

    # --- quiet ------------------------------------------------------------------------------------

    async def _until_quiet(self) -> bool:
        """Wait until nothing is under way; False, and a violation, when that takes too long."""
        never = asyncio.Event()
        until = self.loop.elapsed + BOUND_SECONDS
        busy = "?"
        while busy:
            await self.pace.rest(never, 1.0)
            busy = self._busy()
            if busy and self.loop.elapsed > until:
                self.say("stuck", busy)
                return False
        return True

    def _busy(self) -> str:
        if self.outside.under_way:
            return "a request to the outside is under way"
        for name, box in self.queues.boxes.items():
            if box.messages and not name.endswith(DEAD_LETTER_SUFFIX):
                return f"messages are left in {name}"
        far = self._now_ms() + FAR_SECONDS * 1000
        moving = self.store.rows(
            "SELECT id, status, reason FROM orders LEFT JOIN outbox ON order_id = id"
            " WHERE settled_at IS NULL AND status <> 'parked'"
            " AND (status <> 'awaiting' OR coalesce(due_at, 0) < ?)"
            # Who stands behind a parked order of the same group is to wait.
            " AND NOT EXISTS (SELECT 1 FROM parked AS front WHERE front.group_key <> ''"
            " AND front.group_key = orders.group_key AND front.sequence < orders.sequence"
            " AND orders.sequence > 0)",
            far,
        )
        if moving:
            return f"order {moving[0]} is on its way"
        due = self.store.rows("SELECT id FROM subscriptions WHERE due_at < ?", self._now_ms())
        return f"subscription {due[0]} is due" if due else ""

    def _now_ms(self) -> int:
        return START_MS + round(self.loop.elapsed * 1000)

    def _next_due(self) -> float | None:
        now = self._now_ms()
        if self._looked != self.pace.events or (self._due is not None and self._due <= now):
            # Once for all who rest, until something happens: they ask a thousand times a story.
            self._due = self.store.rows(_DUES, now, now, now, now)[0][0]
            self._looked = self.pace.events
        return None if self._due is None else (self._due - now) / 1000

    def order_ids(self, number: int) -> list[str]:
        """Give the orders of the customer with this number."""
        if number in self.orders_of and self.orders_of[number]["flow"] == "renewal":
            like = f"s{number} %"
            found = self.store.rows("SELECT id FROM orders WHERE reference LIKE ?", like)
        else:
            found = self.store.rows("SELECT id FROM orders WHERE reference = ?", f"n{number}")
        return [order_id for (order_id,) in found]

    def timelines(self) -> list[str]:
        """Tell what the orders of the last story went through."""
        query = "SELECT order_id, at, event, step, attempt, detail FROM timeline ORDER BY id"
        return [
            f"{(at - START_MS) / 1000:9.3f} s  {order_id[-8:]}  {event} {step} {attempt} {detail}"
            for order_id, at, event, step, attempt, detail in self.store.rows(query)
        ]

    def _complete(self, work: Any) -> None:  # noqa: ANN401 - any coroutine
        self.loop.run_until_complete(work)
        self.loop.clear()

    @contextmanager
    def _patched(self) -> Iterator[None]:
        loops = Food.loops
        Food.loops = lambda *_: ()  # type: ignore[method-assign]  # the outside plays them
        collecting = gc.isenabled()
        gc.disable()
        try:
            with paced(self.pace):
                yield
        finally:
            Food.loops = loops  # type: ignore[method-assign]
            if collecting:
                gc.enable()


_DUES = """
    SELECT min(at) FROM (
        SELECT min(due_at) AS at FROM outbox WHERE due_at > ?
        UNION ALL SELECT min(expected_at) + 10000 FROM orders
            WHERE settled_at IS NULL AND status <> 'parked' AND expected_at + 10000 > ?
        UNION ALL SELECT min(due_at) FROM subscriptions WHERE due_at > ?
        UNION ALL SELECT min(until) FROM bookings WHERE state IN ('held', 'waiting') AND until > ?
    )
"""


@dataclass(slots=True)
class _Direct:
    """The store as a database, for setting it up."""

    store: Store
    dialect: str = ""  # creating tables is the same in all

    async def run(self, work: Any) -> Any:  # noqa: ANN401 - as the port
        return self.store.run(work)

    read = examine = run

    async def close(self) -> None:
        return


async def _look(app: App) -> None:
    food = next(addition for addition in app.additions if isinstance(addition, Food))
    await food.simulated_restaurants().look()
    await food.simulated_riders().look()


def _confirming(
    headers: Mapping[str, str], body: bytes
) -> Callable[[App], Coroutine[Any, Any, str]]:
    return lambda app: app.confirmations.receive(headers, body)


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Keep what goes wrong on purpose out of the logs, and what dead processes leave undone."""
    before, hook = logging.root.manager.disable, sys.unraisablehook
    logging.disable(logging.CRITICAL)
    sys.unraisablehook = _unheard
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
    finally:
        logging.disable(before)
        sys.unraisablehook = hook


def _unheard(_what: object) -> None:
    return
