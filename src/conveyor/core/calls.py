"""The attempts of calls to providers: the intent before, the result after, and who may still call.

An attempt has one key and one request. It is open while it is not known what became of it, and
only one who is alone with it may say that it came to nothing: see decision 16.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from conveyor.core.attempts import IS_OPEN, Attempt
from conveyor.core.call_state import CallState
from conveyor.core.provider_call import Grant, ProviderCall
from conveyor.core.step import Now
from conveyor.core.tables import calls
from conveyor.core.time_limits import MAX_CALL_SECONDS
from conveyor.core.transaction import Tx

LONGEST_GRANT_MS = Grant(MAX_CALL_SECONDS).may_run_ms

_KEY = (
    calls.c.order_id == sa.bindparam("b_order_id"),
    calls.c.step == sa.bindparam("b_step"),
    calls.c.attempt == sa.bindparam("b_attempt"),
)


def _set(*names: str) -> dict[str, sa.BindParameter[Any]]:
    return {name: sa.bindparam(f"b_{name}") for name in names}


_INTEND = sa.insert(calls)
_TAKE_UP = (
    sa.update(calls)
    .where(*_KEY, calls.c.taken == sa.bindparam("b_seen"))
    .values(_set("state", "taken", "may_run_until", "request", "provider"))
)
_END = (
    sa.update(calls)
    .where(*_KEY, IS_OPEN)  # the fence: what is closed stays as it is
    .values(_set("state", "ended_at", "may_run_until"))
)


def intend(tx: Tx, call: ProviderCall, last: Attempt | None, now: Now) -> ProviderCall:
    """Write the intent of a call: with the same key while nothing came of it, else with a new one.

    `last` is closed: an open attempt is taken up with `take_up`. A provider may have kept a request
    that did nothing, with its key: another one needs another.
    """
    until = now.ms + call.grant.may_run_ms
    written, whom = call.step.write_request(call.payload), call.provider.bound_as
    if last is not None and last.state == CallState.NOT_APPLIED and last.request in {"", written}:
        taken_up = last._replace(
            state=CallState.INTENDED, may_run_until=until, request=written, provider=whom
        )
        _take(tx, taken_up)
        return replace(call, attempt=last.attempt, times_taken=last.taken + 1)
    attempt = last.attempt + 1 if last else call.attempt
    tx.later(
        _INTEND,
        {
            "order_id": call.order.id,
            "step": call.step_name,
            "attempt": attempt,
            "state": CallState.INTENDED,
            "intended_at": now.ms,
            "ended_at": None,
            "may_run_until": until,
            "taken": 1,
            "request": written,
            "provider": whom,
        },
    )
    return replace(call, attempt=attempt) if last else call


def take_up(
    tx: Tx, call: ProviderCall, attempt: Attempt, now: Now, *, ask_only: bool
) -> ProviderCall:
    """Take up an attempt of which nobody knows what became: with its key, and what was asked.

    Whoever only asks leaves the attempt as it is.
    """
    taken, others = attempt.taken, others_until(attempt, now)
    if not ask_only:
        until = max(others, now.ms + call.grant.may_run_ms)
        taken += 1
        # One of before says not who was called: it is who is bound now.
        _take(tx, attempt._replace(may_run_until=until, provider=call.provider.bound_as))
    stored = attempt.request
    return replace(
        call,
        payload=call.step.read_request(stored) if stored else call.payload,
        attempt=attempt.attempt,
        times_taken=taken,
        known=True,
        ask_only=ask_only,
        alone=others <= now.ms,
        others_until=others,
    )


def others_until(attempt: Attempt, now: Now) -> int:
    """Say until when whoever had an attempt may still call, however wrong their clock was.

    Its first grant is known by its beginning; of no grant there is more left than of the longest.
    """
    longest = LONGEST_GRANT_MS
    if not now.has_come(attempt.intended_at):
        longest = min(longest, max(attempt.may_run_until - attempt.intended_at, 0))
    return min(attempt.may_run_until, now.ms + longest)


def end(tx: Tx, call: ProviderCall, state: CallState, now: Now, *, over: bool = True) -> None:
    """Write what became of an attempt; the transaction fails where that was written before.

    `over`: this request can do nothing any more, so that its grant is given back.
    """
    last = call.recorded
    keeps = last is not None and (not over or call.was_taken_up)
    tx.later(
        _END,
        {
            "b_order_id": call.order.id,
            "b_step": call.step_name,
            "b_attempt": call.attempt,
            "b_state": state,
            "b_ended_at": now.ms,
            "b_may_run_until": last.may_run_until if last and keeps else call.others_until,
        },
        must_match=True,
    )


def _take(tx: Tx, attempt: Attempt) -> None:
    """Write an attempt as it is now that one more has taken it up; nobody else may have since."""
    tx.later(
        _TAKE_UP,
        {
            "b_order_id": attempt.order_id,
            "b_step": attempt.step,
            "b_attempt": attempt.attempt,
            "b_seen": attempt.taken,
            "b_state": attempt.state,
            "b_taken": attempt.taken + 1,
            "b_may_run_until": attempt.may_run_until,
            "b_request": attempt.request,
            "b_provider": attempt.provider,
        },
        must_match=True,
    )
