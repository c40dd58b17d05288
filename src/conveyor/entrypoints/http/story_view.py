"""An order's story as the API tells it: data for programs, sentences for people."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from pydantic import BaseModel, Field, JsonValue

from conveyor.core.registry import Registry
from conveyor.core.rfc3339 import iso
from conveyor.entrypoints.http.archive_views import archived_view
from conveyor.entrypoints.http.order_views import order_view
from conveyor.entrypoints.http.schemas import Amount, ArchivedView, OrderView, Time, when
from conveyor.operations.explain import Story, sentences


class StopView(BaseModel):
    """A step of the order's routing slip, and how far it is."""

    step: str
    undo: str
    state: Literal["done", "now", "ahead", "undone", "undoing", "not_taken"]


class EventView(BaseModel):
    """Something that happened; `says` it."""

    at: Time
    event: str
    step: str
    attempt: int
    version: int
    detail: dict[str, JsonValue]
    says: str


class CallView(BaseModel):
    """A call to a provider: its intent was written before it was made."""

    step: str
    attempt: int
    state: str
    intended_at: Time
    ended_at: Time | None


class PaymentView(BaseModel):
    """The order's money."""

    currency: str
    method: str
    reference: str
    authorized: Amount
    captured: Amount
    refunded: Amount
    voided: bool


class WaitView(BaseModel):
    """What the order waits for; `until` is null when nothing happens by itself."""

    what: str
    until: Time | None


class ChoiceView(BaseModel):
    """What can be done about the order."""

    what: Literal["cancel", "retry", "redrive", "compensate", "discard", "refund"]
    does: str


class StoryView(BaseModel):
    """All that is known of an order."""

    order: OrderView
    slip: list[StopView]
    events: list[EventView]
    calls: list[CallView]
    payment: PaymentView | None
    facts: dict[str, dict[str, JsonValue]] = Field(description="What its flow knows of it.")
    parked_because: str | None
    waits_for: WaitView | None
    choices: list[ChoiceView]
    detached_at: Time | None = Field(
        description="When timeline and calls of its month were detached: they are not told then."
    )
    archived: ArchivedView | None = Field(
        default=None, description="Where it is, if it is in the archive."
    )
    trace_id: str | None = Field(description="The trace that it is in, where there is one.")
    sentences: list[str] = Field(description="The same, told.")


def story_view(story: Story, registry: Registry) -> StoryView:
    """Show a story."""
    wait = story.wait
    return StoryView(
        order=order_view(story.order, registry),
        slip=[StopView(**asdict(stop)) for stop in story.slip],
        events=[EventView(**{**asdict(event), "at": iso(event.at)}) for event in story.events],
        calls=[
            CallView(
                step=call.step,
                attempt=call.attempt,
                state=call.state,
                intended_at=iso(call.intended_at),
                ended_at=when(call.ended_at),
            )
            for call in story.calls
        ],
        payment=PaymentView(**asdict(story.payment)) if story.payment else None,
        facts={fact.name: dict(fact.data) for fact in story.facts},
        parked_because=story.parked.cause if story.parked else None,
        waits_for=WaitView(what=wait.what, until=when(wait.until)) if wait else None,
        choices=[ChoiceView(**asdict(choice)) for choice in story.choices],
        detached_at=when(story.detached.detached_at) if story.detached else None,
        archived=archived_view(story.archived),
        trace_id=story.trace_id or None,
        sentences=sentences(story),
    )
