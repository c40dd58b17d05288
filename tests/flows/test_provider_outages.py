"""A provider that answers nobody for hours: its orders wait, are not tried up, and go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.examples.stories import place, status_of
from tests.flows.machines import only
from tests.flows.test_long_outages import statuses
from tests.flows.test_outages import ORDER

from conveyor.core.errors import NotAppliedError, UnansweredError
from conveyor.core.interventions import cancel
from conveyor.entrypoints.http.health_alone import create_health
from conveyor.entrypoints.http.metrics import Metrics
from conveyor.extension import PAYMENTS
from conveyor.flows import SHOP
from conveyor.flows.shop.carrier import CARRIER
from conveyor.operations.doctor import providers
from conveyor.operations.explain import explain, sentences
from conveyor.system.composition import App
from conveyor.system.parts import Parts
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import Machine

MINUTE = 60.0
HOUR = 3_600.0


class Outside:
    """Somebody outside, as opened: `fails` says how a call for an order goes wrong, if it does."""

    def __init__(self, it: Any) -> None:
        self._it = it
        self.fails: Callable[[str], type[Exception] | None] = _answers
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._it, name)
        if not asyncio.iscoroutinefunction(attribute) or name == "open":
            return attribute

        async def call(*args: Any) -> Any:
            self.calls += 1
            key = args[-1]
            if error := self.fails(key.partition("/")[0]):
                raise error("it is out")
            return await attribute(*args)

        return call


class Shop(Machine):
    """A machine whose calls of one port go by an `Outside`, to be opened in its life."""

    def __init__(self, directory: Path, port: Any, **settings: Any) -> None:
        # Other flows' loops look around each second, which is many times in some hours.
        super().__init__(directory, settings, only(SHOP.name))
        self.paced = True
        self._port = port

    def _parts(self, loop: Any, boundaries: Any) -> Parts:
        parts = super()._parts(loop, boundaries)
        between = {self._port: Outside(parts.ports[self._port])}
        return replace(parts, ports={**parts.ports, **between})


async def opened(app: App, port: Any) -> Outside:
    outside: Outside = app.ports[port]
    await outside.open()
    return outside


def outage(machine: Shop, port: Any, error: type[Exception], count: int, seconds: float) -> int:
    """Place orders, let nobody be answered for so long, then everybody; gives the calls by then."""

    async def life(app: App) -> int:
        outside = await opened(app, port)
        outside.fails = lambda _: error
        ids = [await place(app, ORDER) for _ in range(count)]
        await asyncio.sleep(seconds)
        assert await statuses(app, ids) == {"processing": count}
        calls, outside.fails = outside.calls, _answers
        await asyncio.sleep(MINUTE)
        # Who carries by an `Outside` is not known as simulated, and delivers nothing.
        assert await statuses(app, ids) == {"awaiting" if port is CARRIER else "completed": count}
        return calls

    calls = machine.run(life)
    check_tokens(machine.directory)
    return calls


def test_two_hours_without_a_payment_provider_park_nobody(tmp_path: Path) -> None:
    calls = outage(Shop(tmp_path, PAYMENTS), PAYMENTS, NotAppliedError, 100, 2 * HOUR)
    assert calls < 2 * HOUR / 30


@pytest.mark.parametrize("port", [PAYMENTS, CARRIER], ids=["payments", "carrier"])
def test_who_answers_nobody_is_asked_by_one_at_a_time(tmp_path: Path, port: Any) -> None:
    calls = outage(Shop(tmp_path, port), port, UnansweredError, 20, HOUR / 2)
    assert calls < 20 + HOUR / 2 / 15


def test_an_order_whose_own_call_always_fails_is_parked_among_others(tmp_path: Path) -> None:
    async def life(app: App) -> None:
        outside = await opened(app, PAYMENTS)
        poison = await place(app, ORDER)
        outside.fails = lambda order_id: NotAppliedError if order_id == poison else None
        ids = [await place(app, ORDER)]
        for _ in range(20):
            await asyncio.sleep(MINUTE)
            ids.append(await place(app, ORDER))
        await asyncio.sleep(MINUTE)
        assert await status_of(app, poison) == "parked"
        assert await statuses(app, ids) == {"completed": len(ids)}

    Shop(tmp_path, PAYMENTS).run(life)


def test_an_order_that_always_fails_is_parked_once_the_others_are_answered(tmp_path: Path) -> None:
    async def life(app: App) -> None:
        outside = await opened(app, PAYMENTS)
        outside.fails = lambda _: UnansweredError
        ids = [await place(app, ORDER) for _ in range(10)]
        await asyncio.sleep(10 * MINUTE)
        poison = ids.pop()
        outside.fails = lambda order_id: UnansweredError if order_id == poison else None
        await asyncio.sleep(HOUR)
        assert await status_of(app, poison) == "parked"
        assert await statuses(app, ids) == {"completed": 9}

    Shop(tmp_path, PAYMENTS).run(life)


def test_an_order_that_waits_for_its_provider_says_so_and_can_be_cancelled(tmp_path: Path) -> None:
    async def life(app: App) -> None:
        outside = await opened(app, PAYMENTS)
        outside.fails = lambda _: NotAppliedError
        ids = [await place(app, ORDER) for _ in range(10)]
        await asyncio.sleep(10 * MINUTE)
        told = await explain(app, ids[0], None)
        assert told is not None
        said = "\n".join(sentences(told))
        text, _ = await Metrics(create_health(app)).text()
        figures = text.decode()
        assert 'conveyor_provider_paused{provider="payment provider"} 1.0' in figures
        assert 'conveyor_orders_waiting{provider="payment provider"} 10.0' in figures
        [finding] = await app.engine.database.read(
            lambda tx: list(providers.outside(tx, app.installed, app.settings))
        )
        assert finding.subject == "payment provider"
        assert finding.says.startswith("10 orders wait for it")
        assert "It waits for its provider (payment provider), which answers nobody" in said
        now = app.engine.now()
        await app.engine.relay.commit(
            lambda tx: cancel(tx, app.engine.registry, ids[0], now, "too long")
        )
        await asyncio.sleep(1)
        assert await status_of(app, ids[0]) == "cancelled"

    Shop(tmp_path, PAYMENTS).run(life)


def _answers(_order_id: str) -> type[Exception] | None:
    return None
