"""The test of the test: each planted bug must be caught, by what catches nothing without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.crash.enumeration import crash_at, durable_points, record
from tests.crash.scenarios import SCENARIOS, Scenario

from conveyor.core import calls, taking_tokens
from conveyor.core.attempts import Attempt
from conveyor.core.call_state import CallState
from conveyor.core.consumer import Consumer
from conveyor.core.in_hand import InHand
from conveyor.core.outbox import OwedToken
from conveyor.core.provider_call import ProviderCall
from conveyor.core.relay import Relay
from conveyor.core.step import Now
from conveyor.core.transaction import Tx
from conveyor.testing.virtual import BrokenInvariantError

pytestmark = pytest.mark.timeout(300)  # a life for each point of another

HAPPY = SCENARIOS[0]


def caught(scenario: Scenario, *, cancel_at_once: bool = False) -> str:
    """Give what the enumeration found; '' when it found nothing."""
    for point in durable_points(record(scenario)):
        try:
            crash_at(scenario, point, cancel_at_once=cancel_at_once)
        except BrokenInvariantError as error:
            return str(error)
    return ""


def test_acknowledging_before_the_commit_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    commit_first = Consumer._transact

    async def acknowledge_first(self: Consumer, work: Any, group: list[Any]) -> list[None]:
        await self.queue.delete([it.receipt for it in group if isinstance(it, InHand)])
        return await commit_first(self, work, group)

    monkeypatch.setattr(Consumer, "_transact", acknowledge_first)
    assert "owed no token" in caught(HAPPY)


def test_a_missing_fence_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whatever version a token has, it is taken for good, and does the step that it names.
    monkeypatch.setattr(taking_tokens, "fresh", lambda _order, _token: True)
    monkeypatch.setattr(taking_tokens, "is_live", lambda _order: True)
    monkeypatch.setattr(taking_tokens, "_calls_out", lambda _desk, _step: True)
    monkeypatch.setattr(taking_tokens, "_take", _take_what_the_token_says(taking_tokens._take))
    assert caught(HAPPY) != ""


def _take_what_the_token_says(original: Callable[..., Any]) -> Callable[..., Any]:
    def taken(delivery: Any, _due: str, attempts: Any) -> Any:
        return original(delivery, delivery.step, attempts)

    return taken


def test_marking_the_outbox_before_the_send_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    send_first = Relay._send_to

    async def mark_first(self: Relay, name: str, rows: list[OwedToken]) -> None:
        await self._delete_rows([rows])
        await send_first(self, name, rows)

    monkeypatch.setattr(Relay, "_send_to", mark_first)
    assert "owed no token" in caught(HAPPY)


def test_calling_a_provider_before_the_intent_is_written_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The intent is written with the result, when the call is over.
    def intend_later(tx: Tx, calling: ProviderCall, last: Attempt | None, now: Now) -> ProviderCall:
        withheld: Any = _Withheld(tx)
        return calls_intend(withheld, calling, last, now)

    def end_with_intent(
        tx: Tx, calling: ProviderCall, state: CallState, now: Now, *, over: bool = True
    ) -> None:
        calls_intend(tx, calling, _before(calling), now)
        tx.flush()
        calls_end(tx, calling, state, now, over=over)

    calls_intend, calls_end = calls.intend, calls.end
    monkeypatch.setattr(calls, "intend", intend_later)
    monkeypatch.setattr(calls, "end", end_with_intent)
    assert caught(HAPPY, cancel_at_once=True) != ""


class _Withheld:
    """A transaction that writes nothing."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def later(self, *_args: object, **_kwargs: object) -> None:
        return


def _before(calling: ProviderCall) -> Attempt | None:
    if calling.attempt == 1:
        return None
    number = calling.attempt - 1
    return Attempt(calling.order.id, calling.step_name, number, CallState.ANSWERED, 0, 0, 0, 1, "")
