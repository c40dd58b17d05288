"""Bugs of calls to the outside: keys, late copies, deadlines, and who may still call."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from conveyor.commerce.payments import steps as payment_steps
from conveyor.commerce.payments.ports import Declined
from conveyor.core import (
    applying_outcomes,
    calls,
    deadlines,
    lease,
    provider_call,
    recording_results,
    tables,
    taking_tokens,
    waiting,
)
from conveyor.core.call_state import CallState
from conveyor.core.outcome import Again
from conveyor.core.provider_call import ProviderCall
from conveyor.testing.planted.planting import Make, always, bug, instead, nothing

EVERY_STEP = ""


def _new_key(step: str = EVERY_STEP) -> Make:
    """As once: after a certain failure the next try has a new key."""

    def make(right: Any) -> Any:
        def intend(tx: Any, calling: Any, last: Any, now: Any) -> Any:
            if last and step in calling.step_name:
                last = last._replace(state=CallState.SPENT)
            return right(tx, calling, last, now)

        return intend

    return make


def _anybody_ends_it(step: str = EVERY_STEP) -> Make:
    """As once: whatever one copy is told is taken to be so, whoever else may be calling."""

    def make(right: Any) -> Any:
        def decides(self: Any) -> bool:
            return step in self.step_name or bool(right.fget(self))

        return property(decides)

    return make


def _as_once(step: str) -> tuple[tuple[Any, str, Make], ...]:
    return (
        (calls, "intend", _new_key(step)),
        (ProviderCall, "decides", _anybody_ends_it(step)),
    )


def _unknown_is_no(right: Any) -> Any:
    def failed(delivery: Any, call: Any, failure: Any) -> Any:
        return right(delivery, call, replace(failure, certain=True, spent=True))

    return failed


def _never_asks(right: Any) -> Any:
    def take_up(*args: Any, **_: Any) -> Any:
        return replace(right(*args, ask_only=False), known=False)

    return take_up


def _calls_all_the_same(right: Any) -> Any:
    """As once: who is to turn back calls again where the lookup finds nothing."""
    return lambda *args, **_: right(*args, ask_only=False)


def _asks_for_what_is_due_now(right: Any) -> Any:
    """As once: no request was kept."""

    def take_up(tx: Any, calling: Any, *args: Any, **more: Any) -> Any:
        return replace(right(tx, calling, *args, **more), payload=calling.payload)

    return take_up


def _hold_on(_right: Any) -> Any:
    return lambda delivery, _call: waiting.hold(delivery, delivery.context.now.ms)


def _waits_for_ever(_right: Any) -> Any:
    async def keep(_self: Any, work: Awaitable[Any]) -> Any:
        return await work

    return keep


def _not_returned_is_again(right: Any) -> Any:
    """As once: a refund that is declined is asked for again at once, with a new key."""

    def record(self: Any, tx: Any, order: Any, answer: Any, now: Any) -> Any:
        declined = isinstance(answer, Declined)
        if declined and isinstance(self, payment_steps.ReturnStep):
            return Again(answer.reason)
        return right(self, tx, order, answer, now)

    return record


def _as_it_is(_right: Any) -> Any:
    return lambda _request, answer: answer


def _same_place(_right: Any) -> Any:
    return lambda place: place


UNFENCED = (
    sa.update(tables.calls)
    .where(*calls._KEY)
    .values(calls._set("state", "ended_at", "may_run_until"))
)
"""As once: an attempt that is closed is ended again, as by a late copy that got no answer."""
NO_GRANT = (provider_call.Grant, "is_over", always(value=False))
NEW_KEY = (calls, "intend", _new_key())

BUGS = (
    bug("new_key_authorize", "after a certain failure the next try has a new key", "shop",
        *_as_once("payments.authorize")),
    bug("new_key_capture", "the same, of a capture", "shop", *_as_once("payments.capture")),
    bug("new_key_ship", "the same, of a parcel", "shop", *_as_once("shipping.ship")),
    bug("new_key_charge", "the same, of a renewal's charge", "renewal",
        *_as_once("payments.charge")),
    bug("new_key_travel", "the same, of a journey", "travel", *_as_once("payments")),
    bug("keys_by_history", "a key depends on attempts that a backup has forgotten", "shop",
        NEW_KEY),
    bug("keys_by_history_charge", "the same, of a renewal's charge", "renewal", NEW_KEY),
    bug("anybody_ends_it", "one copy's no is a no, while another is calling", "shop",
        (ProviderCall, "decides", _anybody_ends_it())),
    bug("unknown_is_no", "no answer is taken for a no", "shop",
        (recording_results, "_failed", _unknown_is_no)),
    bug("unknown_is_no_charge", "the same, of a renewal's charge", "renewal",
        (recording_results, "_failed", _unknown_is_no)),
    bug("marked_calls", "who is to turn back calls again", "shop",
        (calls, "take_up", _calls_all_the_same), (recording_results, "_found_nothing", _hold_on)),
    bug("marked_calls_food", "the same, of a meal", "food",
        (calls, "take_up", _calls_all_the_same), (recording_results, "_found_nothing", _hold_on)),
    bug("stale_answers", "an answer is taken at any version, of an attempt that is closed", "shop",
        (recording_results, "_waits_for", always(value=True)), (calls, "_END", instead(UNFENCED))),
    bug("payload_changes", "what is asked again is not what was asked", "renewal",
        (calls, "take_up", _asks_for_what_is_due_now)),
    bug("no_deadline", "a call may take as long as it likes", "shop",
        (deadlines.Deadlines, "keep", _waits_for_ever)),
    bug("no_leases", "leases are not kept, and nobody asks what became of a call", "shop",
        (lease.Leases, "extend_once", nothing), NO_GRANT, NEW_KEY,
        (calls, "take_up", _never_asks)),
    bug("no_grant", "a request is sent however late, with a new key after a failure", "shop",
        NO_GRANT, *_as_once("payments")),
    bug("refund_loops", "a refund that is declined is asked for again without end", "shop",
        (payment_steps, "_returned", _as_it_is),
        (payment_steps.PaymentStep, "record", _not_returned_is_again)),
    bug("refund_loops_charge", "the same, of a renewal", "renewal",
        (payment_steps, "_returned", _as_it_is),
        (payment_steps.PaymentStep, "record", _not_returned_is_again)),
    bug("effect_left", "what a step began is not undone when it is refused", "food",
        (applying_outcomes, "begin", _same_place), (taking_tokens, "begin", _same_place)),
    bug("effect_left_travel", "the same, of a journey", "travel",
        (applying_outcomes, "begin", _same_place), (taking_tokens, "begin", _same_place)),
)  # fmt: skip
