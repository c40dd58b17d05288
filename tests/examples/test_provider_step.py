"""The example's call to a provider: paid once, whatever the bank does not say."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import ModuleType

import pytest
from examples.provider_step import PayOut
from tests.examples.stories import place, status_of

from conveyor.extension import Extension, Flow, NotAppliedError, Service, Step
from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

PAYOUT = Flow("payout", 1, (Step("bank.pay"), Step("orders.complete")), cancel_until="bank.pay")
ORDER = {
    "flow": "payout",
    "customer": {"id": "DE02 1203 0000 0000 2020 51"},
    "currency": "EUR",
    "items": [{"sku": "royalties", "quantity": 1}],
    "payment": {"method": "bank"},
    "shipping": {"country": "US"},
}


class TroubledBank:
    """A bank that has troubles, one a call, before it works."""

    def __init__(self, *troubles: str) -> None:
        self.troubles = list(troubles)
        self.paid: dict[str, int] = {}

    async def transfer(self, account: str, amount: int, key: str) -> str:
        trouble = self.troubles.pop(0) if self.troubles else ""
        if trouble == "closed":
            raise NotAppliedError("the bank is closed")
        if trouble == "never arrived":
            raise TimeoutError
        self.paid[key] = amount
        if trouble == "never answered":
            raise TimeoutError
        return f"{account}/{key}"

    async def find(self, key: str) -> str | None:
        return f"found/{key}" if key in self.paid else None


def world_of(bank: TroubledBank, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Give a system that has the flow, and this bank."""
    service = Service("bank", {"bank.pay": PayOut(bank)})
    module = ModuleType("payouts")
    module.EXTENSION = Extension("payouts", (PAYOUT,), (service,))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return Machine(directory, {"extensions": "payouts:EXTENSION"})


async def pay(app: App, total: int) -> str:
    """Place an order and give its status in the end."""
    order_id = await place(app, ORDER | {"total": total})
    await asyncio.sleep(120)
    return await status_of(app, order_id)


@pytest.mark.parametrize(
    "troubles",
    [
        (),
        ("closed", "closed"),
        ("never arrived",),
        ("never answered",),
        ("closed", "never answered"),
    ],
    ids=lambda troubles: ", then ".join(troubles) or "none",
)
def test_the_money_moves_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, troubles: tuple[str, ...]
) -> None:
    bank = TroubledBank(*troubles)
    world = world_of(bank, tmp_path, monkeypatch)

    assert world.run(lambda app: pay(app, 4_200)) == "completed"
    assert list(bank.paid.values()) == [4_200]


def test_nothing_to_pay_is_no_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = TroubledBank()
    world = world_of(bank, tmp_path, monkeypatch)

    assert world.run(lambda app: pay(app, 0)) == "completed"
    assert not bank.paid
