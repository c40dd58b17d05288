"""Draws stories: what customers do, what goes wrong, and who meddles, all from one seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from conveyor.testing.faults import MENUS
from conveyor.testing.plot import Plot, Subject, ours
from conveyor.testing.scenes import in_the_way_of_refunds, scenes_of
from conveyor.testing.story import FLOWS, Event, Story

CALM = 0.2
"""A fifth of all stories is undisturbed, so that what is then certain can be held."""
SCENES = 0.25
"""Of the stories that are disturbed, how many play a scene: by a chance of its own."""
LATE = 0.3
"""Of the stories that are disturbed, how many are spoken of once more when all seems over."""
LATE_SECONDS = (60.0, 1_200.0, 14_400.0)
PAUSED = 0.15
"""Of the stories that are disturbed, in how many an operator pauses a service for a while."""
PAUSED_SECONDS = (5.0, 30.0, 400.0)

REFUNDED = 0.25
"""Of the stories that are disturbed, in how many an operator has completed orders refunded."""
REFUND_SECONDS = (30.0, 300.0, 2_000.0)
"""A parcel takes half a minute here, a meal minutes; while something is to come, time is dear."""
TAKEN = frozenset({"capture", "charge"})
IN_THE_WAY = 0.7
"""Of those, in how many the provider or a process is not as it should be meanwhile."""


def draw(seed: int, flow: str, subject: Subject | None = None) -> Story:
    """Draw a story of one flow, or of `all` of ours; `subject` is what one of a user's is about."""
    rng = random.Random(f"{seed} {flow}")
    subject = subject or subject_of(flow)
    plot = Plot(rng, subject)
    if rng.random() < 0.6:
        plot = Plot(rng, subject, rng.choice(plot.calls().operations))
    events = _customers(plot)
    if rng.random() > CALM:
        scene = Plot(random.Random(f"{seed} {flow} scene"), subject)
        scenes = scenes_of(subject)
        plays = scene.rng.random() < SCENES and scenes
        events += scene.rng.choice(scenes)(scene) if plays else _misfortunes(plot)
        events += _late(Plot(random.Random(f"{seed} {flow} late"), subject))
        events += _pauses(Plot(random.Random(f"{seed} {flow} pauses"), subject))
        events += _refunds(Plot(random.Random(f"{seed} {flow} refunds"), subject))
    events.sort(key=lambda event: event.at)
    return Story(seed, flow, tuple(events), tuple(range(len(events))))


def subject_of(flow: str) -> Subject:
    """Give what stories of a flow of ours are about, or of `all` of them."""
    return ours(*FLOWS) if flow == "all" else ours(flow)


def _misfortunes(plot: Plot) -> list[Event]:
    rng = plot.rng
    fault = rng.choice(MENUS)
    events = [fault(plot) for _ in range(rng.choice((1, 2, 3, 4, 6)))]
    return events + [_meddling(plot) for _ in range(rng.choice((0, 0, 1, 2, 3)))]


def _customers(plot: Plot) -> list[Event]:
    rng = plot.rng
    events = [Event(0.0, "town", {"shape": rng.randrange(1_000)})]
    at, lives = 0.0, meeting(plot)
    for number in range(rng.choice((1, 2, 2, 3, 4, 5))):
        at += rng.choice((0.0, 0.0, rng.uniform(0, 2), rng.uniform(0, 15)))
        flow = rng.choice(plot.flows)
        kind = "subscribe" if flow == "renewal" else "order"
        facts = order_facts(plot, flow, lives)
        events.append(Event(round(at, 2), kind, {"n": number, **facts}))
    return events


def meeting(plot: Plot) -> Sequence[str]:
    """Draw which lives meet in a story, where the flow brings its own: all go to the same ports."""
    lives = plot.subject.lives
    return plot.rng.choice(lives) if lives else ()


def order_facts(plot: Plot, flow: str, lives: Sequence[str] = ()) -> dict[str, Any]:
    """Draw what is ordered, and how; `lives` are those of a user's flow."""
    rng = plot.rng
    usual = ("card_ok",) * 6
    facts: dict[str, Any] = {"flow": flow, "process": plot.process()}
    if lives:
        return facts | {"life": rng.choice(lives)}
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


def _late(plot: Plot) -> list[Event]:
    """Draw what is said once more when all seems over, if this story has it: by chance of its own.

    So what else there is in a story is as if there were nothing of this kind.
    """
    rng = plot.rng
    if rng.random() > LATE:
        return []
    facts: dict[str, Any] = {"process": plot.process()}
    kind = rng.choice(("again", "another", "poison"))
    if kind != "poison":
        facts["n"] = rng.randrange(3)
    if kind != "again":
        facts["times"] = 2
    return [Event(round(rng.choice(LATE_SECONDS) * rng.uniform(0.5, 1.5), 2), kind, facts)]


def _pauses(plot: Plot) -> list[Event]:
    """Draw the pauses of a story, if it has some: by chance of their own, as `_late`."""
    rng = plot.rng
    if rng.random() > PAUSED:
        return []

    def one() -> Event:
        seconds = round(rng.choice(PAUSED_SECONDS) * rng.uniform(0.5, 1.5), 2)
        facts = {"process": plot.process(), "service": rng.randrange(100), "seconds": seconds}
        return Event(round(plot.when(), 2), "pause", facts)

    return [one() for _ in range(rng.choice((1, 1, 2, 4)))]


def _refunds(plot: Plot) -> list[Event]:
    """Draw the refunds of a story, if it has some, and what is in their way: as `_late`."""
    rng, asked_for = plot.rng, [plot.subject.calls[flow].operations for flow in plot.flows]
    takes_money = any(TAKEN.intersection(operations) for operations in asked_for)
    if not takes_money or rng.random() > REFUNDED:
        return []
    at = plot.seconds(*REFUND_SECONDS)
    asked = {"process": plot.process(), "times": rng.choice((1, 1, 2))}
    events = [Event(at, "refund", asked)]
    events += in_the_way_of_refunds(plot, at) if rng.random() < IN_THE_WAY else []
    if rng.random() < 0.3:
        asked = {"process": plot.process(), "times": 1}
        events.append(Event(round(at + plot.seconds(1, 60, 1_500), 2), "refund", asked))
    return events
