"""Draws scenes: misfortunes of which one comes upon the other, at the moment at which it hurts.

What is drawn by the clock alone meets a call that is under way, or what undoes it, once in a
thousand lives. So here it comes `upon` a request: so many seconds after the outside was asked for
that operation, by whoever asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from conveyor.commerce.orders.intake_consumer import INTAKE
from conveyor.core.queue import DEAD_LETTER_SUFFIX
from conveyor.testing.faults import IN_TURN
from conveyor.testing.plot import Plot, Subject
from conveyor.testing.story import ITS_OWN, WHO_ASKED, Event
from conveyor.testing.troubles import CANNOT_BE_DECLINED

IN_DOUBT = ("late", "late", "lost", "unanswered", "hangs", "slow")
LATE_AT_FIRST = (("late", "ok"), ("late", "late", "ok"), ("late", "unavailable", "ok"))
OTHER_CARDS = ("card_insufficient_funds", "card_insufficient_funds", "card_ok")
PUT_BACK = 9
"""The number of an order that a scene brings: customers' have others."""
ALL_ALONG = 900.0
"""Seconds for which a scene's provider stays as it is."""

Scene = Callable[[Plot], list[Event]]


def _provider(plot: Plot, operation: str, how: Sequence[str], times: int) -> Event:
    """`how`: one fate, or several, one after the other."""
    facts = {"operation": operation, "how": how, "takes": plot.seconds(2, 5, 20, 40)}
    return Event(0.0, "provider", {**facts, "times": times, "seconds": ALL_ALONG})


def _upon(plot: Plot, operation: str, kind: str, **facts: Any) -> Event:
    at = plot.rng.choice((0.0, plot.seconds(0.1), plot.seconds(1), plot.seconds(10, 20)))
    return Event(at, kind, {"upon": operation, "process": plot.process(), **facts})


def _changes_its_mind(plot: Plot) -> list[Event]:
    """A call is in doubt, and its order is to turn back."""
    rng = plot.rng
    operation, how = rng.choice(plot.calls().in_doubt), rng.choice(IN_DOUBT)
    events = [_provider(plot, operation, how, rng.choice((1, 1, 2, 20)))]
    events.append(_upon(plot, operation, "cancel", n=ITS_OWN))
    if rng.random() < 0.2:
        who = rng.choice(("suspend", "crash"))
        events.append(_upon(plot, "lookup", who, process=WHO_ASKED, seconds=plot.seconds(5, 90)))
    if rng.random() < 0.2:
        decides = rng.choice(("compensate", "redrive", "discard"))
        events.append(Event(plot.seconds(200, 400), "operator", {"process": 0, "what": decides}))
    return events


def _does_not_give_back(plot: Plot) -> list[Event]:
    """An order turns back, and what is to be given back is not, for long."""
    rng = plot.rng
    taken, back = rng.choice(plot.calls().given_back)
    how = rng.choice(("unavailable", "late", "unanswered", "saved_error"))
    if back not in CANNOT_BE_DECLINED and rng.random() < 0.6:
        how = "declined"
    turns = Event(0.0, "cancel", {"upon": taken, "process": plot.process(), "n": ITS_OWN})
    return [_provider(plot, back, how, rng.choice((1, 3, 1_000, 1_000))), turns]


def _is_forgotten(plot: Plot) -> list[Event]:
    """A call fails at first, and a backup of that moment is put back once it has not."""
    rng = plot.rng
    operation = rng.choice(plot.calls().forward)
    how = rng.choice(("unavailable", "unavailable", "saved_error", ("late", "unavailable", "ok")))
    failing = _provider(plot, operation, how, rng.choice((1, 2)))
    return [failing, _upon(plot, operation, "restore", seconds=plot.seconds(5, 20, 60))]


def _stands_still(plot: Plot) -> list[Event]:
    """Whoever asks stands still meanwhile, or dies, or its clock steps; its messages come again."""
    rng = plot.rng
    operation = rng.choice(plot.calls().forward)
    how = rng.choice((*IN_DOUBT, "unavailable", ("unanswered", "unavailable", "ok")))
    who: dict[str, Any] = {"process": WHO_ASKED, "seconds": plot.seconds(10, 35, 90, 150)}
    kind = rng.choice(("suspend", "suspend", "crash", "clock"))
    if kind == "clock":
        who["step"] = rng.choice((3_600.0, -3_600.0, 86_400.0))
    upon = rng.choice((operation, "lookup"))
    return [_provider(plot, operation, how, rng.choice((1, 2, 3))), _upon(plot, upon, kind, **who)]


def _meets_a_copy(plot: Plot) -> list[Event]:
    """A late request meets those that come after it, and a copy of the message brings one more."""
    rng = plot.rng
    operation = rng.choice(plot.calls().forward)
    events = [_provider(plot, operation, rng.choice(IN_TURN), rng.choice((3, 6, 12)))]
    if rng.random() < 0.5:
        copied = {"queue": rng.choice(("", "payments")), "how": "double"}
        events.append(
            Event(0.0, "messages", {**copied, "takes": plot.seconds(2, 20), "seconds": 60.0})
        )
    return events


def _pays_otherwise(plot: Plot) -> list[Event]:
    """A charge is under way, for long, and the card is replaced before it is asked for again."""
    rng = plot.rng
    events = [_provider(plot, "charge", rng.choice(LATE_AT_FIRST), rng.choice((2, 4)))]
    events.append(_upon(plot, "charge", "card", n=ITS_OWN, card=rng.choice(OTHER_CARDS)))
    if rng.random() < 0.5:
        who = rng.choice(("suspend", "crash"))
        events.append(_upon(plot, "charge", who, process=WHO_ASKED, seconds=plot.seconds(5, 35)))
    return events


def _hides_behind_others(plot: Plot) -> list[Event]:
    """Messages are lost while more than a page of orders stands there that nobody here knows."""
    queue = plot.rng.choice(("", *plot.subject.queues[:-1]))
    lost: dict[str, Any] = {"queue": queue, "how": "lost", "takes": 0.0}
    return [
        Event(0.0, "strangers", {"count": 600}),
        Event(plot.seconds(0, 0, 1), "messages", {**lost, "seconds": plot.seconds(5, 30, 60)}),
    ]


def _is_put_back_twice(plot: Plot) -> list[Event]:
    """An order is redriven to the intake, and nobody hears that it was: so it is redriven again."""
    facts = {"flow": "shop", "card": "card_ok", "quantity": 1, "city": "", "via": "dead_letter"}
    call = plot.rng.choice(("send", "delete"))
    unheard = {"call": call, "queue": INTAKE, "how": "unknown", "seconds": plot.seconds(30)}
    if call == "delete":
        unheard |= {"queue": INTAKE + DEAD_LETTER_SUFFIX, "how": "away"}
    return [
        Event(0.0, "queues", {**unheard, "times": plot.rng.choice((1, 2, 3))}),
        Event(plot.seconds(0.1, 1), "order", {"n": PUT_BACK, "process": plot.process(), **facts}),
    ]


def in_the_way_of_refunds(plot: Plot, at: float) -> list[Event]:
    """The provider does not give back what a completed order has paid, or who asks dies over it."""
    rng = plot.rng
    how = rng.choice((*IN_DOUBT, "unavailable", "saved_error", "declined", "declined_silently"))
    failing = _provider(plot, "refund", how, rng.choice((1, 2, 3, 1_000)))
    events = [Event(at, failing.kind, failing.facts)]
    if rng.random() < 0.4:
        seconds = plot.seconds(5, 35, 90)
        kind, upon = rng.choice(("suspend", "crash")), rng.choice(("refund", "lookup"))
        events.append(_upon(plot, upon, kind, process=WHO_ASKED, seconds=seconds))
    if rng.random() < 0.4:
        decides = {
            "process": 0,
            "what": rng.choice(("redrive", "discard", "discard", "compensate")),
        }
        events.append(Event(round(at + plot.seconds(20, 200, 800), 2), "operator", decides))
    return events


SCENES: tuple[Scene, ...] = (
    _changes_its_mind,
    _changes_its_mind,
    _meets_a_copy,
    _does_not_give_back,
    _is_forgotten,
    _stands_still,
    _hides_behind_others,
)
OF_RENEWALS: tuple[Scene, ...] = (_pays_otherwise,)
OF_SHOPS: tuple[Scene, ...] = (_is_put_back_twice,)


def scenes_of(subject: Subject) -> tuple[Scene, ...]:
    """Give those that can be played: who calls nobody has none."""
    calls = [subject.calls[flow] for flow in subject.flows]
    scenes = SCENES if all(it.forward for it in calls) else ()
    if not all(it.given_back for it in calls):
        scenes = tuple(it for it in scenes if it is not _does_not_give_back)
    if "shop" in subject.flows:
        scenes += OF_SHOPS
    return scenes + OF_RENEWALS if "renewal" in subject.flows else scenes
