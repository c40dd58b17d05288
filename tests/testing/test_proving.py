"""A flow of a user's own is proven, and a bug in a step of it is found and told."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.testing.own_flows import MAIL, Mailbox, Send, one_mail

from conveyor.core.outcome import Done, Outcome
from conveyor.extension import (
    Dependencies,
    Extension,
    Flow,
    LocalStep,
    Now,
    Order,
    Service,
    Step,
    StepHandler,
    Tx,
)
from conveyor.system.composition import App
from conveyor.testing import Life, Machine, UnprovenError, prove, purge, storm

REFUNDS = Path(__file__).parents[2] / "examples" / "refund_request"
CARD: dict[str, Any] = {
    "flow": "mailed",
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CARD", "quantity": 1}],
    "total": 100,
    "payment": {"method": "card_ok"},
}
MAILED = Flow(
    name="mailed",
    version=1,
    steps=(Step("mail.send"), Step("orders.complete")),
    cancel_until="mail.send",
)


def right(given: Dependencies) -> Mapping[str, StepHandler]:
    return {"mail.send": Send(given.ports[MAIL])}


def wrong(given: Dependencies) -> Mapping[str, StepHandler]:
    """As a tired engineer writes it: an effect outside of the transaction, in a local step."""

    def send(_tx: Tx, order: Order, _now: Now) -> Outcome:
        given.ports[MAIL].sent.append(order.id)
        return Done()

    return {"mail.send": LocalStep(send)}


def mailed(steps: Callable[[Dependencies], Mapping[str, StepHandler]]) -> Extension:
    return Extension(
        "mail", flows=(MAILED,), services=(Service("mail", steps, calls=MAIL),), ports=(MAIL,)
    )


GIFTS = mailed(right)
LIVES = {"a card": Life(CARD, check=one_mail, ports=lambda: {MAIL: Mailbox()})}


def test_a_step_that_calls_with_its_key_is_proven() -> None:
    points = prove(mailed(right), LIVES)
    assert points["a card"] > 10
    storm(mailed(right), LIVES)
    purge(mailed(right), LIVES)


def test_an_effect_outside_of_the_transaction_is_found_and_told() -> None:
    with pytest.raises(UnprovenError) as found:
        prove(mailed(wrong), LIVES)
    said = str(found.value)
    assert "The life 'a card', whose process died at point" in said
    assert ", right before a commit, and was started again:" in said
    assert "Your own check says: 2 mails were sent" in said
    assert "mail.send" in said.partition("Its story:")[2]


def test_what_does_not_even_work_undisturbed_is_told_so() -> None:
    ends_otherwise = {"a card": Life(CARD, "refused", ports=lambda: {MAIL: Mailbox()})}
    with pytest.raises(UnprovenError, match="'a card', undisturbed") as found:
        prove(mailed(right), ends_otherwise)
    assert found.value.broke == "The order is completed, and should be refused."


def test_pytest_gives_a_machine_for_tests_of_ones_own(machine: Callable[..., Machine]) -> None:
    async def flows_of(app: App) -> list[str]:
        return [flow.name for flow in app.installed.flows]

    gifts = machine("tests.testing.test_proving:GIFTS", max_receives=2)
    assert "mailed" in gifts.run(flows_of)
    assert gifts.settings.max_receives == 2


@pytest.mark.timeout(600)  # hundreds of lives of a fortnight each
def test_the_example_proves_its_refunds() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=REFUNDS,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(REFUNDS), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
