"""A story as sentences: what the command line prints and the API gives as text."""

from __future__ import annotations

from collections.abc import Iterator

from conveyor.commerce.orders.money import in_words as money
from conveyor.core.durations import duration
from conveyor.core.order_status import TERMINAL, OrderStatus
from conveyor.core.rfc3339 import iso
from conveyor.operations.explain.story import AHEAD, DONE, NOT_TAKEN, NOW, UNDOING, UNDONE, Story
from conveyor.operations.missing_flows import ADVICE

_STATES = {
    DONE: "is done",
    NOW: "is where it is now",
    AHEAD: "is still ahead",
    UNDONE: "was undone",
    UNDOING: "is being undone",
    NOT_TAKEN: "was not taken",
}


def sentences(story: Story) -> list[str]:
    """Tell a story, one sentence an item, with a line for each event."""
    return [*_heading(story), *_standing(story), *_events(story), *_prospects(story)]


def _heading(story: Story) -> Iterator[str]:
    order = story.order
    called = f" ({order.reference})" if order.reference else ""
    price = money(order.total, order.currency) if order.total else "free of charge"
    yield f"Order {order.id}{called} of merchant {order.merchant}: flow {order.flow}, {price}."
    if it := story.archived:
        yield f"It was archived on {iso(it.archived_at)}: what follows is told from {it.file}."
    taken = duration((order.settled_at or order.updated_at) - order.placed_at)
    reason = f" ({order.reason})" if order.reason else ""
    if order.status in TERMINAL:
        yield f"It was {order.status} {taken} after it was placed{reason}."
    elif order.status == OrderStatus.PARKED and story.parked:
        parked = story.parked
        yield f"It is parked since {iso(parked.parked_at)}, at {parked.step}: {parked.cause}."
    elif order.ending == OrderStatus.REFUNDED:
        yield f"It was completed, and its money is being given back{reason}."
    else:
        yield f"It is {order.status}{reason}."
    if order.cancelling:
        yield "It is to be cancelled as soon as the call that is open has a known outcome."


def _standing(story: Story) -> Iterator[str]:
    for state, verb in _STATES.items():
        if steps := [stop.step for stop in story.slip if stop.state == state]:
            yield f"Steps: {', '.join(steps)} {_plural(verb, len(steps))}."
    if story.payment:
        pay, currency = story.payment, story.payment.currency
        sums = [("authorized", pay.authorized), ("captured", pay.captured)]
        sums += [("refunded", pay.refunded)] if pay.refunded else []
        said = ", ".join(f"{money(amount, currency)} {what}" for what, amount in sums)
        yield f"Money: {said}{', then voided' if pay.voided else ''}."
    yield from (fact.says for fact in story.facts)
    if story.trace_id:
        yield f"Its trace is {story.trace_id}."


def _events(story: Story) -> Iterator[str]:
    if it := story.detached:
        months = it.name if it.name.startswith("before") else f"in {it.name}"
        yield (
            f"Its timeline and calls were detached on {iso(it.detached_at)}, with those of all "
            f"orders placed {months}. Whoever keeps these tables has its story."
        )
        if not story.events:
            return
        yield "What happened to it after that:"
    else:
        yield f"What happened since {iso(story.order.placed_at)}:"
    for event in story.events:
        yield f"  +{duration(event.at - story.order.placed_at)}: {event.says}"


def _prospects(story: Story) -> Iterator[str]:
    if story.wait:
        until = f", until {iso(story.wait.until)}" if story.wait.until is not None else ""
        yield f"It waits for {story.wait.what}{until}."
    for choice in story.choices:
        yield f"You can {choice.what} it: that {choice.does}."
    if story.wait and story.wait.todo:
        yield story.wait.todo
    elif story.wait and not story.slip:  # its flow is not installed here
        yield ADVICE
    elif story.wait and all(choice.what == "retry" for choice in story.choices):
        yield "Nothing needs to be done."


def _plural(verb: str, count: int) -> str:
    if count == 1:
        return verb
    return verb.replace("is ", "are ", 1).replace("was ", "were ", 1)
