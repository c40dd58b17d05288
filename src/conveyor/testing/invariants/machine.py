"""The machine: its loops run, what stops has a cause, and who is undisturbed does not wait."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from conveyor.core.breaker import LAST_REST_SECONDS
from conveyor.core.dead_letter import CAUSE, FIRST_MESSAGE_ID
from conveyor.core.queue import DEAD_LETTER_SUFFIX
from conveyor.core.relay import SWEEP_SECONDS
from conveyor.testing.boxes import Message
from conveyor.testing.town import GARBAGE
from conveyor.testing.troubles import NEVER

if TYPE_CHECKING:
    from conveyor.testing.world import World

OUTAGES = ("DatabaseUnavailable", "CommitUnknown", "QueueUnavailable", "VersionConflict")
DISTURBANCES = frozenset(
    {"provider", "suspend", "crash", "clock", "restore", "operator", "messages"}
)
STOPS = frozenset({"suspend", "crash", "restore", "database", "queues"})
"""What may keep a message from ever having a result."""
MOST_REQUESTS = 150
SOON_SECONDS = LAST_REST_SECONDS / 2
DAY_SECONDS = 86_400.0
BUG_SECONDS = 500.0
"""By when a step that always raises has parked its order."""
CALM_SECONDS = 900.0
"""By when an undisturbed story is over."""
ANSWERED_BY_SOMEBODY = frozenset({"restaurants", "riders", "shipping"})
"""Where an answer may come in the very moment of its deadline, and the timer's token is late."""


def check_processes(world: World) -> None:
    """No loop ends by itself."""
    for process in world.processes:
        if process.ended and not process.dead:
            world.say("loops_run", f"process {process.number}: {process.ended}")
        for name, count in process.app.engine.supervisor.restarts.items():
            world.say("loops_run", f"process {process.number}: {name} ended {count} times")


def check_causes(world: World) -> None:
    """What is parked or a dead letter has a cause that its story explains."""
    kinds = {event.kind for event in world.story.faults}
    known = [violation.what for violation in world.violations]
    for order_id, step, cause in world.store.rows("SELECT order_id, step, cause FROM parked"):
        what = f"order {order_id} at {step}: {cause}"
        if what not in known and (broken := _unexplained(world, kinds, cause)):
            world.say(broken, what)
    # A message that cannot be deleted comes again and again, harmlessly, until it is put aside.
    undeleted = any(e.facts.get("call") in {"", "delete"} for e in world.story.faults)
    if undeleted or kinds & {"restore", "clock", "crash", "suspend"}:
        return
    for name, letter in _dead_letters(world):
        if letter.body != GARBAGE:
            world.say("good_dead_letter", f"{name}: {dict(letter.attributes)} {letter.body[:80]}")


def _dead_letters(world: World) -> Iterator[tuple[str, Message]]:
    for name, box in world.queues.boxes.items():
        if name.endswith(DEAD_LETTER_SUFFIX):
            yield from ((name, letter) for letter in box.messages.values())


def check_garbage(world: World) -> None:
    """What nobody can read is kept, with its cause, for somebody who looks at it."""
    kept: dict[str, set[str]] = defaultdict(set)
    for name, letter in _dead_letters(world):
        known = dict(letter.attributes)
        if letter.body == GARBAGE and known.get(CAUSE):
            queue = name.removesuffix(DEAD_LETTER_SUFFIX)
            kept[queue].add(known.get(FIRST_MESSAGE_ID, letter.message_id))
    for queue, sent in world.garbage.items():
        if len(kept[queue]) < sent:
            world.say("garbage_is_kept", f"{len(kept[queue])} of {sent} sent to {queue}")


def _unexplained(world: World, kinds: set[str], cause: str) -> str:
    if any(name in cause for name in OUTAGES):
        return "parked_for_an_outage"
    if "SimulatedBugError" in cause:
        return ""
    if "without a result" in cause and not kinds & STOPS:
        return "parked_for_no_stop"
    cities = {facts.get("city") for facts in world.orders_of.values()}
    food = any(facts["flow"] == "food" for facts in world.orders_of.values())
    explained = "Nowhere" in cities or food or kinds & DISTURBANCES
    return "" if explained else "parked_without_a_cause"


def check_asking(world: World) -> None:
    """Nobody asks the outside for one order again and again without end.

    Who asks a provider that answers nobody rests in between, however long that lasts: it counts
    whatever a process asks for soon after it has asked.

    But whose clock is days ahead thinks it time for the next try as long as it is: it asks when it
    sweeps. Machines have one clock each, or the database's; processes here have their own.
    """
    ahead = sum(
        event.facts["seconds"]
        for event in world.story.events
        if event.kind == "clock" and event.facts["step"] >= DAY_SECONDS
    )
    soon, last = Counter[str](), dict[tuple[str, int], float]()
    for sent in world.outside.sent:
        whose = sent.order_id, sent.by.number
        soon[sent.order_id] += sent.at - last.get(whose, 0.0) < SOON_SECONDS
        last[whose] = sent.at
    for order_id, times in soon.items():
        if order_id and times > MOST_REQUESTS + ahead / SWEEP_SECONDS:
            world.say("asks_without_end", f"{times} requests for order {order_id}")


_STOOD = """
    SELECT id, version FROM orders WHERE status <> 'parked' AND NOT EXISTS (
        SELECT 1 FROM orders AS before WHERE before.status = 'parked'
        AND before.group_key = orders.group_key AND before.sequence < orders.sequence
        AND orders.group_key <> '')
"""


def check_bug(world: World) -> None:
    """Whose step has had a bug for so long is parked, but for who waits for a parked one."""
    if world.story.kinds != {"bug"}:
        return
    stood = world.store.rows(_STOOD)
    for order_id, version in stood:
        first, last, then = world.troubles.raised.get(order_id, NEVER)
        if then == version and last - first > BUG_SECONDS:
            world.say("a_bug_parks", f"order {order_id} has stood since {first:.0f} s, unparked")


def check_calm(world: World) -> None:
    """Where nothing was disturbed, nothing is done twice, and nobody waits."""
    answered = ANSWERED_BY_SOMEBODY | set(world.own.subject.queues if world.own else ())
    for process in world.processes:
        for (what, queue), count in process.app.engine.tally.items():
            crossed = what == "stale" and queue in answered
            if what in {"resent", "faulted", "stale", "poisoned"} and not crossed:
                world.say(f"calm_has_no_{what}", f"{count} at {queue}")
    lost = {facts.get("city") for facts in world.orders_of.values()} & {"Nowhere", "Limbo"}
    # How long a user's flow waits for somebody is its own affair.
    if world.loop.elapsed > CALM_SECONDS and not lost and world.own is None:
        world.say("calm_is_quick", f"{world.loop.elapsed:.0f} s")
