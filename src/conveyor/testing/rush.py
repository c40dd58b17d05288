"""Stories in which all come at once: nothing is broken, but transactions wait for one another."""

from __future__ import annotations

import random
from collections.abc import Sequence

from conveyor.testing.drawing import meeting, order_facts, subject_of
from conveyor.testing.plot import Plot, Subject
from conveyor.testing.story import Event, Story

LATEST_SECONDS = 12.0
"""By when they change their minds, all of them at one moment or nearly so."""
JITTERS = (0.0, 0.0, 0.02, 0.2, 1.0)
CARDS = ("card_ok", "card_insufficient_funds", "card_insufficient_funds")


def draw_rush(seed: int, flow: str, subject: Subject | None = None) -> Story:
    """Draw a story as `draw` does: customers order, and change their minds."""
    rng = random.Random(f"{seed} {flow} rush")
    plot = Plot(rng, subject or subject_of(flow))
    events = [Event(0.0, "town", {"shape": rng.randrange(1_000)})]
    moment = rng.uniform(0.5, LATEST_SECONDS)
    lives = meeting(plot)
    for number in range(rng.choice((2, 3, 4, 6))):
        of_flow = rng.choice(plot.flows)
        events.append(_customer(plot, of_flow, number, lives))
        changes = rng.choice((1, 1, 2))
        events += [_change(plot, of_flow, number, moment) for _ in range(changes)]
    events.sort(key=lambda event: event.at)
    return Story(seed, flow, tuple(events), tuple(range(len(events))))


def _customer(plot: Plot, flow: str, number: int, lives: Sequence[str]) -> Event:
    facts = {"n": number, **order_facts(plot, flow, lives)}
    if flow == "renewal":
        facts |= {"behind_days": 0, "card": plot.rng.choice(CARDS)}
    elif flow == "travel":
        facts |= {"waits": True, "quantity": 1}
    elif flow == "shop":
        facts |= {"via": "api", "city": ""}
    kind = "subscribe" if flow == "renewal" else "order"
    return Event(round(plot.rng.uniform(0, 0.5), 2), kind, facts)


def _change(plot: Plot, flow: str, number: int, moment: float) -> Event:
    rng = plot.rng
    kinds = {
        "renewal": ("card", "card", "unsubscribe", "scan"),
        "shop": ("cancel", "stock"),
    }.get(flow, ("cancel",))
    kind = rng.choice(kinds)
    facts: dict[str, object] = {"process": plot.process()}
    if kind == "scan":
        facts |= {"catch_up": False}
    elif kind == "stock":
        facts |= {"count": rng.randrange(20)}
    else:
        facts |= {"n": number}
    if kind == "card":
        facts |= {"card": rng.choice(CARDS)}
    return Event(round(moment + rng.choice(JITTERS), 2), kind, facts)
