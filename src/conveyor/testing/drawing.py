"""Draws stories: what customers do, what goes wrong, and who meddles, all from one seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from conveyor.testing.story import EVERY_PROCESS, FLOWS, PROCESSES, Event, Story

QUEUES = ("payments", "inventory", "shipping", "orders", "bookings", "restaurants", "riders",
          "subscriptions", "intake")  # fmt: skip
OPERATIONS = {
    "shop": ("authorize", "capture", "void", "refund", "lookup", "dispatch", "status", ""),
    "food": ("authorize", "capture", "void", "lookup", ""),
    "travel": ("authorize", "capture", "void", "refund", "lookup", ""),
    "renewal": ("charge", "refund", "lookup", ""),
}
IN_TURN = (
    ("late", "unavailable", "ok"),
    ("late", "unavailable", "ok"),
    ("late", "unavailable", "unavailable", "ok"),
    ("late", "saved_error", "ok"),
    ("late", "declined"),
    ("unanswered", "unavailable", "ok"),
)
"""What becomes of one request, of the next, and so on: a late one meets those that came after."""
BUSY_SECONDS = 60.0
"""In which orders come, and most of what happens to them."""
CALM = 0.2
"""A fifth of all stories is undisturbed, so that what is then certain can be held."""


@dataclass(frozen=True, slots=True)
class Plot:
    """What a story is drawn from. `operation` is what fails in it; None: now this, now that."""

    rng: random.Random
    flows: Sequence[str]
    operation: str | None = None

    def when(self) -> float:
        """Draw when something happens."""
        rng = self.rng
        most = rng.choice((3, 20, BUSY_SECONDS))
        return round(rng.uniform(0, most), 2)

    def seconds(self, *choices: float) -> float:
        """Draw how long it takes."""
        return round(self.rng.choice(choices) * self.rng.uniform(0.5, 1.5), 2)

    def process(self) -> int:
        """Draw whom it concerns."""
        return self.rng.randrange(PROCESSES)


Draw = Callable[[Plot], Event]


def draw(seed: int, flow: str) -> Story:
    """Draw a story of one flow, or of `all`."""
    rng = random.Random(f"{seed} {flow}")  # noqa: S311 - a story is repeated by its seed
    flows = FLOWS if flow == "all" else (flow,)
    plot = Plot(rng, flows)
    if rng.random() < 0.6:
        plot = Plot(rng, flows, rng.choice(OPERATIONS[rng.choice(flows)]))
    events = _customers(plot)
    if rng.random() > CALM:
        fault = rng.choice(MENUS)
        events += [fault(plot) for _ in range(rng.choice((1, 2, 3, 4, 6)))]
        events += [_meddling(plot) for _ in range(rng.choice((0, 0, 1, 2, 3)))]
    events.sort(key=lambda event: event.at)
    return Story(seed, flow, tuple(events), tuple(range(len(events))))


def _customers(plot: Plot) -> list[Event]:
    rng = plot.rng
    events = [Event(0.0, "town", {"shape": rng.randrange(1_000)})]
    at = 0.0
    for number in range(rng.choice((1, 2, 2, 3, 4, 5))):
        at += rng.choice((0.0, 0.0, rng.uniform(0, 2), rng.uniform(0, 15)))
        flow = rng.choice(plot.flows)
        kind = "subscribe" if flow == "renewal" else "order"
        events.append(Event(round(at, 2), kind, {"n": number, **order_facts(plot, flow)}))
    return events


def order_facts(plot: Plot, flow: str) -> dict[str, Any]:
    """Draw what is ordered, and how."""
    rng = plot.rng
    usual = ("card_ok",) * 6
    facts: dict[str, Any] = {"flow": flow, "process": plot.process()}
    facts["card"] = rng.choice((*usual, "card_declined", "card_stolen"))
    facts["quantity"] = rng.choice((1, 1, 2, 3))
    if flow == "shop":
        facts["via"] = rng.choice(("api",) * 5 + ("plain", "keyed", "dead_letter"))
        facts["city"] = rng.choice(("",) * 8 + ("XX", "Limbo", "Nowhere", "Mute"))
    elif flow == "travel":
        facts["legs"] = rng.choice((1, 1, 2))
        facts["waits"] = rng.random() < 0.5
    elif flow == "renewal":
        facts["behind_days"] = rng.choice((0, 0, 0, 0, 0, 400))
    return facts


# --- faults ---------------------------------------------------------------------------------------


def _provider(plot: Plot) -> Event:
    rng = plot.rng
    how = rng.choice(
        ("slow", "unavailable", "unavailable", "unanswered", "lost", "late", "hangs",
         "saved_error", "declined", "declined_silently")
    )  # fmt: skip
    operation = plot.operation
    if operation is None:
        operation = rng.choice(OPERATIONS[rng.choice(plot.flows)])
    return Event(
        plot.when(),
        "provider",
        {
            "operation": operation,
            "how": how,
            "takes": plot.seconds(1, 2, 5, 20, 40) if rng.random() < 0.95 else 40_000.0,
            "times": rng.choice((1, 1, 2, 3, 3, 10, 1_000)),
            "seconds": plot.seconds(5, 30, 120, 600),
        },
    )


def _in_turn(plot: Plot) -> Event:
    rng = plot.rng
    facts = {
        "operation": plot.operation or rng.choice(OPERATIONS[rng.choice(plot.flows)][:-2]),
        "how": rng.choice(IN_TURN),
        "takes": plot.seconds(5, 20, 20, 40),
        "times": rng.choice((3, 6, 12)),
        "seconds": plot.seconds(120, 600),
    }
    return Event(rng.choice((0.0, 0.0, plot.when())), "provider", facts)


def _messages(plot: Plot) -> Event:
    return Event(
        plot.when(),
        "messages",
        {
            "queue": plot.rng.choice(("", "", "payments", *QUEUES[:-1])),
            "how": plot.rng.choice(("late", "double", "double", "double", "lost", "lost")),
            "takes": plot.seconds(0.02, 0.5, 2, 5, 30, 400),
            "seconds": plot.seconds(1, 10, 60),
        },
    )


def _process(plot: Plot) -> Event:
    kind = plot.rng.choice(("suspend", "suspend", "crash", "crash"))
    seconds = plot.seconds(1, 10, 35, 35, 90)
    return Event(plot.when(), kind, {"process": plot.process(), "seconds": seconds})


def _database(plot: Plot) -> Event:
    rng = plot.rng
    how = rng.choice(("away", "away", "away", "unknown"))
    whose = rng.choice((EVERY_PROCESS, EVERY_PROCESS, *range(PROCESSES)))
    times = 10_000 if how == "away" else rng.choice((1, 1, 2, 5))
    seconds = plot.seconds(1, 10, 60, 600, 1_200)
    facts = {"process": whose, "how": how, "times": times, "seconds": seconds}
    return Event(plot.when(), "database", facts)


def _queues(plot: Plot) -> Event:
    rng = plot.rng
    call = rng.choice(("send", "send", "receive", "delete", "visibility", "depth", ""))
    return Event(
        plot.when(),
        "queues",
        {
            "call": call,
            "queue": rng.choice(("", "", "-dead", *QUEUES)),
            "how": rng.choice(("away", "unknown")),
            "times": rng.choice((1, 1, 3, 10_000)),
            "seconds": plot.seconds(1, 10, 60, 600),
        },
    )


def _clock(plot: Plot) -> Event:
    rng = plot.rng
    step = rng.choice((3_600.0, -3_600.0, 600.0, -600.0, 86_400.0, 365 * 86_400.0, 5.0, -5.0))
    whose = rng.choice((EVERY_PROCESS, EVERY_PROCESS, *range(PROCESSES)))
    seconds = plot.seconds(3, 30, 60, 300, 900)
    return Event(plot.when(), "clock", {"process": whose, "step": step, "seconds": seconds})


def _restore(plot: Plot) -> Event:
    return Event(plot.when(), "restore", {"seconds": plot.seconds(1, 5, 20)})


def _bug(plot: Plot) -> Event:
    where = plot.rng.choice(("gather", "step", "record"))
    facts = {"n": plot.rng.randrange(3), "where": where, "seconds": plot.seconds(5, 60, 900)}
    return Event(round(plot.when() / 10, 2), "bug", facts)


def _strangers(plot: Plot) -> Event:
    return Event(round(plot.when() / 10, 2), "strangers", {"count": plot.rng.choice((3, 600))})


def _garbage(plot: Plot) -> Event:
    facts = {"queue": plot.rng.choice(QUEUES[:-1]), "count": plot.rng.choice((1, 3, 10))}
    return Event(plot.when(), "garbage", facts)


def _meddling(plot: Plot) -> Event:
    rng = plot.rng
    kinds = ["cancel", "cancel", "cancel", "again", "operator", "operator", "operator", "poison"]
    if "shop" in plot.flows:
        kinds += ["stock"]
    if "renewal" in plot.flows:
        kinds += ["card", "card", "unsubscribe", "scan"]
    kind = rng.choice(kinds)
    facts: dict[str, Any] = {"process": plot.process()}
    late = rng.choice((0.0, 0.0, rng.uniform(0, 900)))
    if kind in {"cancel", "again", "card", "unsubscribe"}:
        facts["n"] = rng.randrange(4)
    if kind == "operator":
        facts["what"] = rng.choice(("redrive", "compensate", "compensate", "discard", "cancel"))
        late = rng.uniform(30, 2_000)
    if kind == "card":
        facts["card"] = rng.choice(("card_ok", "card_ok", "card_insufficient_funds"))
    if kind == "stock":
        facts["count"] = rng.randrange(20)
    if kind == "scan":
        facts["catch_up"] = rng.random() < 0.5
    return Event(round(plot.when() + late, 2), kind, facts)


def _one_of(*draws: Draw) -> Draw:
    return lambda plot: plot.rng.choice(draws)(plot)


# What goes wrong together: faults of one kind alone leave no doubt what is to be seen.
MENUS: tuple[Draw, ...] = (
    _provider,
    _in_turn,
    _one_of(_in_turn, _messages),
    _one_of(_in_turn, _in_turn, _process, _provider),
    _one_of(_provider, _messages),
    _one_of(_provider, _messages, _process),
    _one_of(_provider, _process),
    _one_of(_messages, _process),
    _database,
    _queues,
    _one_of(_queues, _garbage),
    _one_of(_database, _queues),
    _clock,
    _one_of(_clock, _clock, _messages),
    _one_of(_restore, _provider),
    _one_of(_restore, _in_turn),
    _bug,
    _one_of(_bug, _provider, _messages),
    _one_of(_strangers, _messages, _messages, _process),
    _one_of(_provider, _messages, _process, _database, _queues, _clock),
)
