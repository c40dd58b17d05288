"""What happened, in words: one phrase for each kind of event, in the table at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conveyor.commerce.orders.money import in_words as money
from conveyor.core import timeline
from conveyor.core.attempts import Attempt
from conveyor.core.call_state import CallState
from conveyor.core.durations import duration
from conveyor.core.rfc3339 import iso
from conveyor.core.timeline import Entry
from conveyor.core.timeline_event import TimelineEvent

Detail = Mapping[str, Any]
Phrase = Callable[[Entry, Detail], str]

_ENDS = {
    CallState.ANSWERED: "was answered",
    CallState.DECLINED: "was answered with a no",
    CallState.NOT_APPLIED: "did nothing",
    CallState.SPENT: "did nothing, and that is played back to its key",
}


def say_entry(entry: Entry, detail: Detail) -> str:
    """Say an entry of the timeline; one of a kind that is not known is named."""
    facts = dict(detail)
    came = ", from its queue" if facts.pop(timeline.BY_QUEUE, False) else ""
    phrase = _PHRASES.get(entry.event)
    said = phrase(entry, facts) if phrase else f"{entry.event} {entry.step}".rstrip()
    return said + came


def say_call(call: Attempt) -> str:
    """Say that a provider is called; how that ended is told when it did."""
    key = f"{call.order_id}/{call.step}/{call.attempt}"
    return f"{call.step}: call {call.attempt} to the provider (idempotency key {key})"


def say_end(call: Attempt) -> str:
    """Say what is known of a call that has ended."""
    return f"{call.step}: call {call.attempt} {_ENDS.get(call.state, call.state)}"


def _done(entry: Entry, detail: Detail) -> str:
    facts = dict(detail)
    if "amount" in facts and "currency" in facts:
        facts["amount"] = money(facts["amount"], facts.pop("currency"))
    return f"{entry.step} is done" + _facts(facts)


def _awaiting(entry: Entry, detail: Detail) -> str:
    facts = dict(detail)
    what, seconds = facts.pop("what", "an answer"), facts.pop("seconds", 0)
    return f"{entry.step} awaits {what}, {duration(round(seconds * 1000))} at most" + _facts(facts)


def _again(entry: Entry, detail: Detail) -> str:
    facts = dict(detail)
    return f"{entry.step} is taken again: {facts.pop('reason', '')}" + _facts(facts)


def _refused(entry: Entry, detail: Detail) -> str:
    if not entry.step:  # the order's own end, not that of a step
        return "refused: what had been done is undone"
    facts = dict(detail)
    reason = facts.pop("reason", "no reason given")
    return f"{entry.step} was refused: {reason}" + _facts(facts)


def _fault(entry: Entry, detail: Detail) -> str:
    return f"{entry.step} failed, try {entry.attempt}: {detail.get('cause', '')}"


def _unknown(entry: Entry, detail: Detail) -> str:
    cause = detail.get("cause", "")
    return (
        f"{entry.step}: the outcome is unknown, try {entry.attempt}: {cause}; "
        "the provider is asked before anything else is done"
    )


def _waiting(entry: Entry, detail: Detail) -> str:
    provider = detail.get("provider", "its provider")
    if cause := detail.get("cause"):
        return f"{entry.step} failed while {provider} answers nobody, which costs no try: {cause}"
    return f"{entry.step} waits: {provider} {detail.get('why', 'answers nobody now')}"


def _parked(entry: Entry, detail: Detail) -> str:
    return f"parked at {entry.step}, try {entry.attempt}: {detail.get('cause', '')}"


def _discarded(_entry: Entry, detail: Detail) -> str:
    facts = dict(detail)
    reason = facts.pop("reason", "no reason given")
    if "written_off" in facts and "currency" in facts:
        facts["written_off"] = money(facts["written_off"], facts.pop("currency"))
    return f"given up: {reason}" + _facts(facts)


def _cancel_asked(_entry: Entry, detail: Detail) -> str:
    facts = dict(detail)
    reason = facts.pop("reason", "")
    return "cancellation was asked for" + (f": {reason}" if reason else "") + _facts(facts)


def _refund_asked(_entry: Entry, detail: Detail) -> str:
    facts = dict(detail)
    reason = facts.pop("reason", "")
    return "its money is to be given back" + (f": {reason}" if reason else "") + _facts(facts)


def _duplicate(entry: Entry, _detail: Detail) -> str:
    return f"a late or doubled message for {entry.step} (version {entry.version}) was dropped"


def _resent(entry: Entry, _detail: Detail) -> str:
    return f"the message for {entry.step} was lost or late, and was sent again"


def _facts(facts: Detail) -> str:
    said = [f"{name.replace('_', ' ')} {_value(value)}" for name, value in facts.items()]
    return f" ({', '.join(said)})" if said else ""


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{inner} {name}" for name, inner in value.items())
    return str(value)


_PHRASES: dict[TimelineEvent, Phrase] = {
    TimelineEvent.PLACED: lambda _entry, _detail: "placed",
    TimelineEvent.DONE: _done,
    TimelineEvent.AWAITING: _awaiting,
    TimelineEvent.AGAIN: _again,
    TimelineEvent.REFUSED: _refused,
    TimelineEvent.FAULT: _fault,
    TimelineEvent.UNKNOWN: _unknown,
    TimelineEvent.WAITING: _waiting,
    TimelineEvent.PARKED: _parked,
    TimelineEvent.REDRIVEN: lambda _entry, detail: (
        "an operator let it take its step again" + _facts(detail)
    ),
    TimelineEvent.RETRIED: lambda entry, detail: (
        f"an operator let it try {entry.step} at once" + _facts(detail)
    ),
    TimelineEvent.EDITED: lambda _entry, detail: (
        "an operator changed what it says" + _facts(detail)
    ),
    TimelineEvent.TURNED_BACK: lambda _entry, detail: (
        "turned back: what was done is being undone" + _facts(detail)
    ),
    TimelineEvent.DISCARDED: _discarded,
    TimelineEvent.CANCEL_ASKED: _cancel_asked,
    TimelineEvent.REFUND_ASKED: _refund_asked,
    TimelineEvent.DUPLICATE_DROPPED: _duplicate,
    TimelineEvent.RESENT: _resent,
    TimelineEvent.ERASED: lambda entry, detail: (
        f"erased on {iso(entry.at)[:10]}: what its customer has said of themselves" + _facts(detail)
    ),
    TimelineEvent.NOTED: lambda _entry, detail: str(detail.get("what", "")),
    TimelineEvent.COMPLETED: lambda _entry, _detail: "completed",
    TimelineEvent.CANCELLED: lambda _entry, _detail: "cancelled: what had been done is undone",
    TimelineEvent.REFUNDED: lambda _entry, _detail: (
        "refunded: its money was given back, and everything else stays"
    ),
}
