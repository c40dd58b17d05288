"""A gift card is paid for, and made: the slip, its step, and all that goes with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from conveyor import extension as ext
from gift_cards import store
from gift_cards.store import Card


class GiftBody(ext.OrderBody):
    """An order of a gift card: its total is the card's value, and `recipient` who gets it."""

    flow: ext.Word = "gift"
    recipient: ext.Word


GIFT = ext.Flow(
    name="gift",
    version=1,
    steps=(
        ext.Step("payments.authorize", undo="payments.void"),
        ext.Step("gift_cards.make", undo="gift_cards.take_back"),
        ext.Step("payments.capture", undo="payments.refund"),
        ext.Step("orders.complete"),
    ),
    cancel_until="payments.capture",
)


def make(tx: ext.Tx, order: ext.Order, now: ext.Now) -> ext.Outcome:
    """Make the card."""
    recipient = ext.body_of(order, GiftBody).recipient
    store.make(tx, Card(order.id, order.merchant, recipient, order.currency, order.total, "good"))
    return ext.Done({"recipient": recipient})


def take_back(tx: ext.Tx, order: ext.Order, now: ext.Now) -> ext.Outcome:
    """End it: it was not paid for."""
    store.take_back(tx, order.id)
    return ext.Done()


def facts(tx: ext.Tx, order: ext.Order) -> Iterable[ext.Fact]:
    """Tell of the card in `explain`."""
    card = store.find(tx, order.id)
    if card is not None:
        data = {"recipient": card.recipient, "value": card.value, "state": card.state}
        yield ext.Fact("gift_card", f"Gift card for {card.recipient}: {card.state}.", data)


def checks() -> Iterable[ext.Check]:
    """Give what the audit sees to."""
    from gift_cards.checks import CHECKS

    return CHECKS


def routes() -> Iterable[ext.Routes]:
    """Give the operations of the HTTP API."""
    from gift_cards.http import router

    yield ext.Routes(router, {"gift cards": "What was paid for to be given away."})


def commands() -> Iterable[Any]:
    """Give the commands of `conveyor`."""
    from gift_cards.cli import gift_card

    yield gift_card


def demo() -> ext.Demo:
    """Give what `conveyor demo` shows."""
    from gift_cards.demo import GiftDemo

    return GiftDemo()


def lives() -> Mapping[str, Any]:
    """Give what the simulator lets its orders go through."""
    from gift_cards.lives import LIVES

    return LIVES


STEPS = {"gift_cards.make": ext.LocalStep(make), "gift_cards.take_back": ext.LocalStep(take_back)}
EXTENSION = ext.Extension(
    name="gift_cards",
    flows=(GIFT,),
    services=(ext.Service("gift_cards", STEPS),),
    bodies={GIFT.name: GiftBody},
    migrations="gift_cards:migrations",
    belongings=(store.cards,),
    checks=checks,
    scopes={"gift_cards": "Looks at gift cards."},
    facts=facts,
    routes=routes,
    commands=commands,
    demo=demo,
    lives={GIFT.name: lives},
)
