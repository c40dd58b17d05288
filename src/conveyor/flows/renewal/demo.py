"""The demonstration's night of renewals: subscriptions that all are due, and cards for them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import sqlalchemy as sa

from conveyor.core.order_status import OrderStatus
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.extension import Demo, Story
from conveyor.flows import RENEWAL
from conveyor.flows.renewal.subscriptions import control, due
from conveyor.flows.renewal.subscriptions.beginning import NewSubscription
from conveyor.flows.renewal.subscriptions.changes import Changes
from conveyor.flows.renewal.subscriptions.model import ALL_PER_CENT, Plan, SubscriptionStatus
from conveyor.flows.renewal.subscriptions.tables import subscriptions
from conveyor.system.composition import App

LOOK_SECONDS = 0.2
SUBSCRIPTIONS = 200
NAMED = "sub-"
REPLACED_EVERY = 40
"""Of those that cannot pay, which are every twentieth, every other gets another card."""
PLAN = "monthly"
PRICE = 999  # cents
PER_SECOND = 30.0
"""What the provider allows: few enough that one can watch them."""
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")

# Every so many subscriptions are paid with another card; the first that fits.
CARDS = (
    ("card_stolen", 67),
    ("card_insufficient_funds", 20),
    ("card_unanswered", 31),
    ("card_flaky", 17),
)


async def subscribe(app: App, merchant: str) -> None:
    """Begin the subscriptions: without a trial each is due at once."""
    changes = Changes(app.engine)
    await app.parts.database.run(lambda tx: control.decide(tx, merchant, ALL_PER_CENT, PER_SECOND))
    await changes.set_plan(Plan(merchant, PLAN, PRICE, "USD"))
    await changes.begin(merchant, [_new(number) for number in range(1, SUBSCRIPTIONS + 1)])


async def have_begun(app: App, merchant: str) -> bool:
    """Tell whether the subscriptions are there."""
    theirs = sa.exists().where(subscriptions.c.merchant == merchant)
    return await app.parts.database.read(lambda tx: bool(tx.execute(sa.select(theirs)).scalar()))


async def are_renewing(app: App) -> bool:
    """Tell whether something is due, or on its way; what awaits another card or day is not."""
    now_ms = app.parts.ambient.now_ms()
    return await app.parts.database.read(
        lambda tx: bool(due.merchants_with_due(tx, now_ms) or tx.execute(_ON_ITS_WAY).scalar())
    )


async def replace_cards(app: App, merchant: str) -> None:
    """Give some of the customers who are past due a card that works: it is tried at once."""
    changes = Changes(app.engine)
    for name in await app.parts.database.read(_past_due):
        if int(name.removeprefix(NAMED)) % REPLACED_EVERY == 0:
            await changes.replace_card(merchant, name, "card_ok")


def _past_due(tx: Tx) -> Sequence[str]:
    past_due = subscriptions.c.status == SubscriptionStatus.PAST_DUE
    query = sa.select(subscriptions.c.id).where(past_due).order_by(subscriptions.c.id)
    return tx.execute(query).scalars().all()


_ON_ITS_WAY = sa.select(
    sa.exists().where(
        orders.c.flow.startswith(f"{RENEWAL.name}@"),
        orders.c.settled_at.is_(None),
        orders.c.status != OrderStatus.AWAITING,
    )
)


def _new(number: int) -> NewSubscription:
    card = next((card for card, every in CARDS if number % every == 0), "card_ok")
    zone = ZONES[number % len(ZONES)]
    return NewSubscription(f"{NAMED}{number:03}", f"reader-{number}", PLAN, card, zone)


class RenewalDemo(Demo):
    """What the flow shows of itself."""

    shows: ClassVar[str] = "Subscriptions are renewed; cards are declined, and some are replaced."
    settings: ClassVar[Mapping[str, Any]] = {"renewal_scan_seconds": 1.0}
    stories: ClassVar[Sequence[Story]] = (
        (
            orders.c.status == OrderStatus.AWAITING,
            "past due: its card is tried again on another day",
        ),
    )

    async def set_up(self, app: App, merchant: str) -> None:
        """Make what can be ordered; harmless where it is there."""
        if not await have_begun(app, merchant):
            await subscribe(app, merchant)

    async def conclude(self, app: App, merchant: str) -> None:
        """Wait for what goes on after the last order."""
        await _until_renewed(app)
        await replace_cards(app, merchant)
        await _until_renewed(app)


async def _until_renewed(app: App) -> None:
    while await are_renewing(app):  # noqa: ASYNC110 - what it waits for is in the database
        await asyncio.sleep(LOOK_SECONDS)
