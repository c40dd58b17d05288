"""A story: all that happens to a simulated system from outside, drawn from a seed.

Each event is explicit, so that a story can be told, shortened and replayed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

FLOWS = ("shop", "food", "travel", "renewal")
PROCESSES = 3
QUEUES = ("payments", "inventory", "shipping", "orders", "bookings", "restaurants", "riders",
          "subscriptions")  # fmt: skip
OPERATIONS = {
    "shop": ("authorize", "capture", "void", "refund", "lookup", "dispatch", "status", ""),
    "food": ("authorize", "capture", "void", "lookup", ""),
    "travel": ("authorize", "capture", "void", "refund", "lookup", ""),
    "renewal": ("charge", "refund", "lookup", ""),
}
BUSY_SECONDS = 60.0
"""In which orders come, and most of what happens to them."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens `at` so many seconds; see `stage` for the kinds."""

    at: float
    kind: str
    facts: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        facts = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        return f"{self.at:8.1f} s  {self.kind}: {facts}"

    @property
    def ends(self) -> float:
        """When it is over."""
        return self.at + float(self.facts.get("seconds", 0.0))


# What customers do is no fault; of everything else that a story holds, the counts are shown.
CUSTOMERS = frozenset({"order", "subscribe", "town", "stock"})


@dataclass(frozen=True, slots=True)
class Story:
    """What happens, in the order of time. `kept` are the events' numbers in the whole story."""

    seed: int
    flow: str
    events: tuple[Event, ...]
    kept: tuple[int, ...]

    @property
    def faults(self) -> list[Event]:
        """Everything but orders."""
        return [event for event in self.events if event.kind not in CUSTOMERS]

    @property
    def name(self) -> str:
        """What replays it."""
        return f"{self.seed}:{','.join(map(str, self.kept))}"

    def only(self, kept: Collection[int]) -> Story:
        """Keep these of its events."""
        pairs = [(n, event) for n, event in zip(self.kept, self.events, strict=True) if n in kept]
        return Story(self.seed, self.flow, tuple(e for _, e in pairs), tuple(n for n, _ in pairs))


def draw(seed: int, flow: str) -> Story:
    """Draw a story of one flow, or of `all`."""
    rng = random.Random(f"{seed} {flow}")  # noqa: S311 - a story is repeated by its seed
    flows = FLOWS if flow == "all" else (flow,)
    events = _customers(rng, flows)
    # A fifth of all stories is undisturbed, so that what is then certain can be held.
    if rng.random() > 0.2:
        faults = rng.choice(MENUS)
        for _ in range(rng.choice((1, 2, 3, 4, 6))):
            events.append(faults(rng, flows))
        for _ in range(rng.choice((0, 0, 1, 2, 3))):
            events.append(_meddling(rng, flows))
    events.sort(key=lambda event: event.at)
    return Story(seed, flow, tuple(events), tuple(range(len(events))))


def _customers(rng: random.Random, flows: Sequence[str]) -> list[Event]:
    events = [Event(0.0, "town", {"shape": rng.randrange(1_000)})]
    count = rng.choice((1, 2, 2, 3, 4, 5))
    at = 0.0
    for number in range(count):
        at += rng.choice((0.0, 0.0, rng.uniform(0, 2), rng.uniform(0, 15)))
        flow = rng.choice(flows)
        kind = "subscribe" if flow == "renewal" else "order"
        events.append(Event(round(at, 2), kind, {"n": number, **_order(rng, flow)}))
    return events


def _order(rng: random.Random, flow: str) -> dict[str, Any]:
    usual = ("card_ok",) * 6
    facts: dict[str, Any] = {"flow": flow, "process": rng.randrange(PROCESSES)}
    facts["card"] = rng.choice((*usual, "card_declined", "card_stolen"))
    facts["quantity"] = rng.choice((1, 1, 2, 3))
    if flow == "shop":
        facts["via"] = rng.choice(("api", "api", "api", "intake"))
        facts["city"] = rng.choice(("",) * 8 + ("XX", "Limbo", "Nowhere", "Mute"))
    elif flow == "travel":
        facts["legs"] = rng.choice((1, 1, 2))
        facts["waits"] = rng.random() < 0.5
    return facts


# --- faults ---------------------------------------------------------------------------------------


def _when(rng: random.Random) -> float:
    return round(
        rng.choice((rng.uniform(0, 3), rng.uniform(0, 20), rng.uniform(0, BUSY_SECONDS))), 2
    )


def _seconds(rng: random.Random, *choices: float) -> float:
    return round(rng.choice(choices) * rng.uniform(0.5, 1.5), 2)


def _provider(rng: random.Random, flows: Sequence[str]) -> Event:
    how = rng.choice(
        ("slow", "slow", "unavailable", "unavailable", "unanswered", "unanswered", "lost", "late",
         "late", "hangs", "saved_error", "declined")
    )  # fmt: skip
    return Event(
        _when(rng),
        "provider",
        {
            "operation": rng.choice(OPERATIONS[rng.choice(flows)]),
            "how": how,
            "takes": _seconds(rng, 1, 2, 5, 20, 40),
            "times": rng.choice((1, 1, 1, 2, 3, 10, 100)),
            "seconds": _seconds(rng, 5, 30, 120, 600),
        },
    )


def _messages(rng: random.Random, flows: Sequence[str]) -> Event:  # noqa: ARG001 - as its like
    return Event(
        _when(rng),
        "messages",
        {
            "queue": rng.choice(("", "", "payments", *QUEUES)),
            "how": rng.choice(("late", "double", "double", "double", "lost", "lost")),
            "takes": _seconds(rng, 0.02, 0.5, 2, 5, 30, 400),
            "seconds": _seconds(rng, 1, 10, 60),
        },
    )


def _process(rng: random.Random, flows: Sequence[str]) -> Event:  # noqa: ARG001 - as its like
    kind = rng.choice(("suspend", "suspend", "crash", "crash"))
    return Event(
        _when(rng),
        kind,
        {"process": rng.randrange(PROCESSES), "seconds": _seconds(rng, 1, 10, 35, 35, 90)},
    )


def _database(rng: random.Random, flows: Sequence[str]) -> Event:  # noqa: ARG001 - as its like
    how = rng.choice(("away", "away", "away", "unknown"))
    whose = rng.choice((-1, -1, *range(PROCESSES)))
    times = 10_000 if how == "away" else rng.choice((1, 1, 2, 5))
    seconds = _seconds(rng, 1, 10, 60, 600, 1_200)
    facts = {"process": whose, "how": how, "times": times, "seconds": seconds}
    return Event(_when(rng), "database", facts)


def _queues(rng: random.Random, flows: Sequence[str]) -> Event:  # noqa: ARG001 - as its like
    call = rng.choice(("send", "send", "receive", "delete", "visibility", "depth", ""))
    return Event(
        _when(rng),
        "queues",
        {
            "call": call,
            "queue": rng.choice(("", "", "-dead", *QUEUES)),
            "how": rng.choice(("away", "unknown")),
            "times": rng.choice((1, 1, 3, 10_000)),
            "seconds": _seconds(rng, 1, 10, 60, 600),
        },
    )


def _clock(rng: random.Random, flows: Sequence[str]) -> Event:  # noqa: ARG001 - as its like
    step = rng.choice((3_600.0, -3_600.0, 600.0, -600.0, 86_400.0, 365 * 86_400.0, 5.0, -5.0))
    seconds = _seconds(rng, 3, 30, 60, 300)
    return Event(
        _when(rng), "clock", {"process": rng.randrange(PROCESSES), "step": step, "seconds": seconds}
    )


def _restore(rng: random.Random, flows: Sequence[str]) -> Event:  # noqa: ARG001 - as its like
    return Event(_when(rng), "restore", {"seconds": _seconds(rng, 1, 5, 20)})


def _meddling(rng: random.Random, flows: Sequence[str]) -> Event:
    kinds = ["cancel", "cancel", "cancel", "again", "operator", "operator", "operator", "poison"]
    if "shop" in flows:
        kinds += ["stock"]
    if "renewal" in flows:
        kinds += ["card", "card", "unsubscribe", "scan"]
    kind = rng.choice(kinds)
    facts: dict[str, Any] = {"process": rng.randrange(PROCESSES)}
    late = rng.choice((0.0, 0.0, rng.uniform(0, 900)))
    if kind in {"cancel", "again", "card", "unsubscribe"}:
        facts["n"] = rng.randrange(4)
    if kind == "operator":
        facts["what"] = rng.choice(("redrive", "compensate", "compensate", "discard", "cancel"))
    if kind == "card":
        facts["card"] = rng.choice(("card_ok", "card_ok", "card_insufficient_funds"))
    if kind == "stock":
        facts["count"] = rng.randrange(20)
    if kind == "operator":
        late = rng.uniform(30, 2_000)
    return Event(round(_when(rng) + late, 2), kind, facts)


Draw = Callable[[random.Random, Sequence[str]], Event]


def _one_of(*draws: Draw) -> Draw:
    def drawn(rng: random.Random, flows: Sequence[str]) -> Event:
        return rng.choice(draws)(rng, flows)

    return drawn


# What goes wrong together: faults of one kind alone leave no doubt what is to be seen.
MENUS: tuple[Draw, ...] = (
    _provider,
    _one_of(_provider, _messages),
    _one_of(_provider, _messages, _process),
    _one_of(_provider, _process),
    _one_of(_messages, _process),
    _database,
    _queues,
    _one_of(_database, _queues),
    _one_of(_clock, _clock, _messages),
    _one_of(_restore, _provider),
    _one_of(_provider, _messages, _process, _database, _queues, _clock),
)
