"""Proves a flow: it dies at every point at which that makes a difference, and must still be right.

    from conveyor.testing import Life, prove

    def test_gifts() -> None:
        prove(EXTENSION, {"given": Life(GIFT, "completed")})

A `Life` is what an order goes through. It is lived once undisturbed, then once for each durable
effect (a commit, a message sent, received or deleted, a call) with a process that dies right after
it, or right before the commit, and is started again. `storm` lets every message come ten times
instead, late and in any order, and `purge` empties all queues in the middle. After each, the order
must have come to its end, and the audit, with the checks of your own, must find nothing.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conveyor.commerce.orders.placement import Placed
from conveyor.commerce.orders.store import find
from conveyor.core.order import Order
from conveyor.core.order_status import SETTLED
from conveyor.extension import Extension, Port
from conveyor.operations.audit import run_audit
from conveyor.operations.explain import explain, sentences
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.system.installation import Installation, installation
from conveyor.testing.crashing import Boundaries, Crash
from conveyor.testing.storming import storming
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import BrokenInvariantError, Machine, until_idle

MERCHANT = "default"
KEY = "the only one"
"""Of the order: placed again after a death, it is the same one."""
PATIENCE_SECONDS = 400 * 86_400.0
"""Of virtual time, for an order to come to its end."""
LOOKS_IN_TIME = 50
"""Who waits looks again after this share of what it has waited."""
PURGED_AFTER_SECONDS = (0.05, 0.5, 2.0, 10.0)
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a fresh directory is made in it

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Life:
    """What an order goes through when nothing goes wrong.

    - `order` is its body as `POST /v1/orders` takes it, or gives it for a system and the key by
      which it will be placed: of what it needs first, keys can be made of that.
    - `ends` is the status that it comes to, or several.
    - `set_up` makes what it needs: stock, say. It is called after each death again.
    - `meanwhile` is what people do, with the order's id: answer it, cancel it. It is called again,
      too, and looks for itself how far the order has come: see `until`.
    - `check` looks at what is left, and raises an `AssertionError`.
    - `ports` are whom its steps call, instead of those that would be opened; each may die with
      every call, and what it remembers it remembers over deaths.
    """

    order: Body | Callable[[App, str], Awaitable[Body]]
    ends: str | Sequence[str] = "completed"
    set_up: Callable[[App], Awaitable[object]] | None = None
    meanwhile: Callable[[App, str], Awaitable[object]] | None = None
    check: Callable[[App, str], Awaitable[object]] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    ports: Callable[[], Mapping[Port[Any], object]] = dict


class UnprovenError(AssertionError):
    """A life did not end as it should. `when` says what had happened to it."""

    def __init__(self, life: str, when: str, broke: str, story: Sequence[str]) -> None:
        told = "".join(f"\n    {line}" for line in story)
        super().__init__(f"The life {life!r}, {when}:\n  {broke}\n  Its story:{told}")
        self.life = life
        self.when = when
        self.broke = broke
        self.story = story


def prove(
    extension: Extension | str, lives: Mapping[str, Life], *, every: int = 1
) -> dict[str, int]:
    """Let each life die at every point, or at `every` so manieth; gives how many there are of each.

    `extension` is yours, or names it as `CONVEYOR_EXTENSIONS` does. Raises `UnprovenError`.
    """
    installed = _installed(extension)
    points: dict[str, int] = {}
    for name, life in lives.items():
        undisturbed = Boundaries()
        with _machine(life, installed) as machine:
            _live(name, life, machine, "undisturbed", undisturbed)
        matter = [1, *(at for at, it in enumerate(undisturbed.names, 1) if _matters(it))]
        for number, at in list(enumerate(matter, 1))[::every]:
            with _machine(life, installed) as machine:
                _die_once(name, life, machine, at, f"{number} of {len(matter)}")
        points[name] = len(matter)
    return points


def storm(extension: Extension | str, lives: Mapping[str, Life]) -> None:
    """Let every message of each life come ten times, late and shuffled. Raises `UnprovenError`."""
    installed = _installed(extension)
    for name, life in lives.items():
        with _machine(life, installed) as machine:
            machine.wrap_queues = storming
            _live(name, life, machine, "with every message ten times")


def purge(extension: Extension | str, lives: Mapping[str, Life]) -> None:
    """Empty all queues at some moments of each life. Raises `UnprovenError`."""
    installed = _installed(extension)
    for name, life in lives.items():
        for seconds in PURGED_AFTER_SECONDS:
            with _machine(life, installed) as machine:
                when = f"with all queues emptied after {seconds:g} s"
                _live(name, life, machine, when, purged_after=seconds)


async def until(app: App, order_id: str, *statuses: str) -> str:
    """Wait until the order has one of these statuses, or is at its end, or parked; gives which."""
    waited = 0.0
    while (status := (await _order(app, order_id)).status) not in {*statuses, *SETTLED}:
        if waited > PATIENCE_SECONDS:
            raise BrokenInvariantError(f"It is {status}, and has not come to its end for a year.")
        rest = max(1.0, waited / LOOKS_IN_TIME)
        await asyncio.sleep(rest)
        waited += rest
    return status


def _matters(boundary: str) -> bool:
    """Whether a death there is another one than the one before it.

    A death keeps what is durable and nothing else: a commit, a message, a call. What a step has
    done outside of its transaction shows in a death right before the commit.
    """
    return boundary.startswith("after") or boundary == "before commit"


def _installed(extension: Extension | str) -> Installation:
    if isinstance(extension, str):
        return installation(Settings(extensions=extension))
    return installation(Settings(), [extension])


@contextmanager
def _machine(life: Life, installed: Installation) -> Iterator[Machine]:
    # In memory where there is such a directory: nothing here is about the disk.
    parent = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=parent, prefix="conveyor-proof-") as directory:
        # Each step from its queue: where orders ride on, less can go wrong.
        settings = {"ride_on": False, **life.settings}
        machine = Machine(Path(directory), settings, installed, life.ports())
        machine.paced = True
        yield machine


def _die_once(name: str, life: Life, machine: Machine, at: int, number: str) -> None:
    boundaries = Boundaries(at)
    when = f"whose process ended before point {number}"
    try:
        machine.run(lambda app: _lived(app, life, None), boundaries)
    except Crash:
        when = f"whose process died at point {number}, {_told(boundaries.names[-1])}"
        try:
            check_tokens(machine.directory)
        except BrokenInvariantError as error:
            raise UnprovenError(name, when, str(error), ()) from None
    _live(name, life, machine, f"{when}, and was started again")


def _told(boundary: str) -> str:
    """Say where that is: `right after a commit`."""
    when, _, what = boundary.partition(" ")
    return f"right {when} a {what}" if what else "at its start"


def _live(
    name: str,
    life: Life,
    machine: Machine,
    when: str,
    boundaries: Boundaries | None = None,
    *,
    purged_after: float | None = None,
) -> None:
    """Live it to its end, and look at what is left. Raises `UnprovenError`."""

    async def judged(app: App) -> tuple[str, Sequence[str]]:
        order_id = await _lived(app, life, purged_after)
        broke = await _broken(app, life, order_id)
        story = await explain(app, order_id, None) if broke else None
        return broke, sentences(story) if story else ()

    try:
        broke, story = machine.run(judged, boundaries)
    except BrokenInvariantError as error:
        raise UnprovenError(name, when, str(error), ()) from error
    if broke:
        raise UnprovenError(name, when, broke, story)


async def _lived(app: App, life: Life, purged_after: float | None) -> str:
    if life.set_up is not None:
        await life.set_up(app)
    body = await life.order(app, KEY) if callable(life.order) else life.order
    placed = await app.placement.place(MERCHANT, KEY, app.installed.bodies.read(dict(body)))
    if not isinstance(placed, Placed):
        raise BrokenInvariantError(f"it was not placed: {placed}")
    doing = [until(app, placed.order_id)]
    if life.meanwhile is not None:
        doing.append(_meanwhile(life.meanwhile, app, placed.order_id))
    if purged_after is not None:
        doing.append(_purged(app, purged_after))
    await asyncio.gather(*doing)
    await until_idle(app)
    return placed.order_id


async def _meanwhile(do: Callable[[App, str], Awaitable[object]], app: App, order_id: str) -> str:
    await do(app, order_id)
    return ""


async def _purged(app: App, seconds: float) -> str:
    await asyncio.sleep(seconds)
    for spec in app.installed.queues:
        await app.parts.queues.queue(spec.name).purge()
    return ""


async def _broken(app: App, life: Life, order_id: str) -> str:
    """Say what is wrong with what is left; '' for nothing."""
    order = await _order(app, order_id)
    ends = (life.ends,) if isinstance(life.ends, str) else tuple(life.ends)
    if order.status not in ends:
        because = f" ({order.reason})" if order.reason else ""
        return f"The order is {order.status}{because}, and should be {' or '.join(ends)}."
    report = await run_audit(app)
    wrong = [it for it in report.findings if it.violations]
    if wrong:
        return " ".join(f"The audit finds a violation of {it.name}: {it.says}." for it in wrong)
    if life.check is not None:
        try:
            await life.check(app, order_id)
        except AssertionError as error:
            return f"Your own check says: {error}"
    return ""


async def _order(app: App, order_id: str) -> Order:
    order = await app.parts.database.read(lambda tx: find(tx, order_id, None))
    if order is None:
        raise BrokenInvariantError(f"order {order_id} is gone")
    return order
