"""What a customer cancelled is over: nothing brings it back, and no card is charged."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.flows.machines import machine_of
from tests.flows.renewals import MERCHANT, charges, find, live_on, make_plan, states, subscribe

from conveyor.flows.renewal.subscriptions.changes import Changes, Impossible
from conveyor.flows.renewal.subscriptions.model import Subscription, SubscriptionStatus
from conveyor.system.composition import App


@pytest.mark.parametrize("afterwards", ["suspend", "cancel"])
def test_one_cancelled_while_past_due_is_never_charged_again(
    tmp_path: Path, afterwards: str
) -> None:
    world = machine_of("renewal", tmp_path)

    async def first(app: App) -> None:
        await make_plan(app, afterwards=afterwards)
        await subscribe(app, [("s", "card_declined")])

    async def cancel(app: App) -> None:
        changed = await Changes(app.engine).cancel(MERCHANT, "s")
        assert isinstance(changed, Subscription)
        assert changed.status == SubscriptionStatus.CANCELLED

    async def another_card(app: App) -> None:
        assert isinstance(
            await Changes(app.engine).replace_card(MERCHANT, "s", "card_ok"), Impossible
        )
        assert (await find(app, "s")).due_at is None

    live_on(world, 0, first)
    assert states(world.directory) == {"s": (SubscriptionStatus.PAST_DUE, 0)}
    live_on(world, 0.5, cancel)
    live_on(world, 2, another_card)
    live_on(world, 40)
    assert states(world.directory) == {"s": (SubscriptionStatus.CANCELLED, 0)}
    assert [day for day, _ in charges(world.directory)["s"]] == [0]


def test_one_cancelled_while_suspended_stays_so(tmp_path: Path) -> None:
    world = machine_of("renewal", tmp_path)

    async def first(app: App) -> None:
        await make_plan(app, afterwards="suspend", retry_days=(1,))
        await subscribe(app, [("s", "card_declined")])

    async def cancel(app: App) -> None:
        await Changes(app.engine).cancel(MERCHANT, "s")
        assert isinstance(
            await Changes(app.engine).replace_card(MERCHANT, "s", "card_ok"), Impossible
        )

    live_on(world, 0, first)
    live_on(world, 1.1)
    assert states(world.directory) == {"s": (SubscriptionStatus.SUSPENDED, 0)}
    live_on(world, 2, cancel)
    live_on(world, 40)
    assert states(world.directory) == {"s": (SubscriptionStatus.CANCELLED, 0)}
    assert [day for day, _ in charges(world.directory)["s"]] == [0, 1]
