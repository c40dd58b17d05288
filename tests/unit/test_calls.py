"""The protocol of calls: grants, keys, requests, and who may say what became of an attempt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from pydantic import BaseModel, ValidationError
from tests.unit.core_driver import Core

from conveyor.core.calling import NotCalled, perform
from conveyor.core.consumer import Consumer
from conveyor.core.errors import KeySpentError, NotAppliedError, UnansweredError
from conveyor.core.in_hand import InHand
from conveyor.core.message import Token
from conveyor.core.outbox import OwedToken
from conveyor.core.outcome import Done, Outcome
from conveyor.core.provider_call import Grant, ProviderCall
from conveyor.core.slots import Slots
from conveyor.core.step import CallStep
from conveyor.core.tables import calls
from conveyor.core.time_limits import CHECK_SECONDS, MIN_VISIBILITY_SECONDS, NEAR_EXPIRY
from conveyor.settings import Settings
from conveyor.testing.loop import run_virtual

GRANT_SECONDS = Grant().may_run_ms / 1000


async def attempts(core: Core, owed: OwedToken) -> list[tuple[int, str, int]]:
    """Give number, state and takers of each attempt."""
    query = sa.select(calls.c.attempt, calls.c.state, calls.c.taken)
    of_order = query.where(calls.c.order_id == owed.order_id).order_by(calls.c.attempt)
    return await core.database.read(lambda tx: [(r[0], r[1], r[2]) for r in tx.execute(of_order)])


def failing(error: Exception) -> Any:
    async def answer(_request: str) -> str:
        raise error

    return answer


async def one_order(core: Core) -> Any:
    [owed] = await core.place("a")
    [order] = await core.orders([owed])
    return order


@pytest.mark.parametrize("stopped", ["the process", "the machine"])
def test_who_was_suspended_beyond_its_grant_calls_nothing(tmp_path: Path, stopped: str) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            loop = asyncio.get_running_loop()
            ago = Grant().call_seconds + 1
            steady = loop.time() - (ago if stopped == "the process" else 0)
            wall = core.now_ms - round(ago * 1000 if stopped == "the machine" else 0)
            grant = Grant(begun=steady, begun_ms=wall)
            order, provider = await one_order(core), core.engine.providers.of("ask")
            token = InHand(Token(order.id, "ask.price", order.version), "receipt")
            call = ProviderCall(order, "ask.price", core.ask, "a", provider, grant, token)
            assert await perform(call, core.ambient, core.engine.measures) == NotCalled()
            assert core.ask.called == []

    run_virtual(main())


def test_who_waited_too_long_for_a_slot_is_granted_anew_and_costs_no_try(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            consumer = Consumer(core.engine, "ask")
            core.engine.providers.of("ask").slots = slots = Slots(0)
            [owed] = await core.place("a")
            handling = asyncio.create_task(core.handle(consumer, owed))
            await asyncio.sleep(3 * Grant().call_seconds)
            assert core.ask.called == []
            slots.give_back()
            await handling
            [order] = await core.orders([owed])
            assert order.position == 1
            assert await attempts(core, owed) == [(1, "answered", 2)]
            assert core.engine.tally["faulted", "ask"] == 0

    run_virtual(main())


def test_a_certain_failure_keeps_its_key_and_a_spent_one_does_not(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [owed] = await core.place("a")
            core.ask.answer = failing(NotAppliedError("busy"))
            await core.take("ask", owed)
            await core.take("ask", owed)
            assert await attempts(core, owed) == [(1, "not_applied", 2)]
            core.ask.answer = failing(KeySpentError("played back"))
            await core.take("ask", owed)
            assert await attempts(core, owed) == [(1, "spent", 3)]
            core.ask.answer = failing(NotAppliedError("busy"))
            await core.take("ask", owed)
            assert await attempts(core, owed) == [(1, "spent", 3), (2, "not_applied", 1)]

    run_virtual(main())


def test_nothing_is_given_up_while_an_unanswered_call_may_still_take_effect(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [owed] = await core.place("a")
            core.ask.answer = failing(UnansweredError("no answer"))
            await core.take("ask", owed)
            for error in (NotAppliedError("busy"), KeySpentError("played back")):
                core.ask.answer = failing(error)
                await core.take("ask", owed)
                assert [state for _, state, _ in await attempts(core, owed)] == ["unknown"]
            await asyncio.sleep(GRANT_SECONDS)
            core.ask.answer = failing(KeySpentError("played back"))
            await core.take("ask", owed)
            assert [state for _, state, _ in await attempts(core, owed)] == ["spent"]

    run_virtual(main())


def test_a_late_copy_does_not_open_what_is_closed(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [owed] = await core.place("a")
            late = asyncio.Event()

            async def lose(_request: str) -> str:
                await late.wait()
                raise UnansweredError("no answer")

            core.ask.answer = lose
            first = asyncio.create_task(core.take("ask", owed))
            await asyncio.sleep(1)
            core.ask.answer = at_once
            await core.take("ask", owed)
            late.set()
            await first
            assert await attempts(core, owed) == [(1, "answered", 2)]

    run_virtual(main())


def test_a_yes_to_what_was_given_up_is_said_loudly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            [owed] = await core.place("a")
            [before] = await core.orders([owed])
            late = asyncio.Event()

            async def answer(_request: str) -> str:
                await late.wait()
                return "5"

            core.ask.answer = answer
            calling = asyncio.create_task(core.take("ask", owed))
            await asyncio.sleep(1)
            closed = sa.update(calls).values(state="not_applied")
            await core.database.run(lambda tx: tx.execute(closed))
            late.set()
            with caplog.at_level(logging.ERROR):
                await calling
            assert await core.orders([owed]) == [before]
            assert "took effect" in caplog.text
            assert "noted" in await core.events(owed)

    run_virtual(main())


async def at_once(request: str) -> str:
    return request


@dataclass(frozen=True)
class Transfer:
    to: str
    amounts: tuple[int, ...]
    note: Mapping[str, Any]


class Bill(BaseModel):
    transfer: Transfer


Q = TypeVar("Q")


class Calls(CallStep[Q, str]):
    def prepare(self, _tx: Any, _order: Any, _now: Any) -> Q | Outcome:
        return Done()

    async def call(self, _request: Q, key: str) -> str:
        return key

    async def ask(self, _request: Q, key: str) -> str | None:
        return key

    def record(self, _tx: Any, _order: Any, _answer: str, _now: Any) -> Outcome:
        return Done()


class Pays(Calls[Transfer]):
    """Requests that are dataclasses."""


class PaysToo(Pays):
    """What is inherited says what a request is."""


class Bills(Calls[Bill]):
    """Requests that are pydantic models."""


def test_requests_come_back_as_they_were() -> None:
    transfer = Transfer("IBAN", (1, 2), {"ü": [1]})
    assert PaysToo().read_request(PaysToo().write_request(transfer)) == transfer
    bill = Bill(transfer=transfer)
    assert Bills().read_request(Bills().write_request(bill)) == bill


def test_a_visibility_timeout_in_which_no_lease_can_be_kept_is_refused() -> None:
    assert MIN_VISIBILITY_SECONDS * NEAR_EXPIRY > CHECK_SECONDS
    with pytest.raises(ValidationError, match=f"equal to {MIN_VISIBILITY_SECONDS}"):
        Settings(visibility_seconds=MIN_VISIBILITY_SECONDS - 1)
    assert Settings(visibility_seconds=MIN_VISIBILITY_SECONDS).visibility_seconds == 10
