"""Reads an order's story from the database, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from conveyor.commerce.orders.store import find
from conveyor.commerce.payments.store import of_order as payment_of
from conveyor.core import parking, timeline
from conveyor.core.attempts import Attempt
from conveyor.core.attempts import of_order as attempts_of
from conveyor.core.detached import detached_with
from conveyor.core.order import Order
from conveyor.core.order_status import TERMINAL
from conveyor.core.place import place_of
from conveyor.core.registry import Registry
from conveyor.core.routing_slip import Flow, flow_name, step_at
from conveyor.core.timeline import Entry
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.operations.archive import Record, find_record
from conveyor.operations.explain.outlook import Known, choices, to_retry, waits_for, with_refund
from conveyor.operations.explain.story import (
    AHEAD,
    DONE,
    NOT_TAKEN,
    NOW,
    UNDOING,
    UNDONE,
    Choice,
    Event,
    Stop,
    Story,
)
from conveyor.operations.explain.words import say_call, say_end, say_entry
from conveyor.system.composition import App

CALLED = "called"
CALL_ENDED = "call_ended"


async def explain(app: App, order_id: str, merchant: str | None) -> Story | None:
    """Tell an order's story; None: there is no such order, or it is not this merchant's.

    A replica may not have it yet: then it is read where it is written. What is in the archive is
    told from there. Raises `ArchiveMissingError` where its file is not at hand.
    """
    known, now = Known(app.engine.registry, app.ports.unbound), app.engine.ambient.now_ms()

    def read(tx: Tx) -> Story | None:
        story = read_story(tx, known, order_id, merchant, now)
        extension = app.installed.of_flow(flow_name(story.order.flow)) if story else None
        if story is None or extension is None:
            return story
        return replace(story, facts=tuple(extension.facts(tx, story.order)))

    story = await app.parts.reading.read(read)
    if story is None and app.parts.replica is not None:
        story = await app.parts.database.read(read)
    if story is None and (record := await find_record(app, order_id, merchant)) is not None:
        return await app.parts.database.read(partial(_from_archive, known=known, record=record))
    return story


def _from_archive(tx: Tx, known: Known, record: Record) -> Story:
    order, calls = record.order, tuple(record.calls)
    events = tuple(_events(record.entries, calls))
    flow, detached = known.registry.flows.get(order.flow), detached_with(tx, order.id)
    return Story(
        order=order,
        slip=_slip(flow, order, events) if flow and not detached else (),
        events=events,
        calls=calls,
        payment=record.payment,
        parked=None,
        wait=None,
        choices=(),
        facts=record.facts,
        detached=detached,
        archived=record.at,
    )


def read_story(
    tx: Tx, known: Known, order_id: str, merchant: str | None, now_ms: int
) -> Story | None:
    """Read it in this transaction."""
    order = find(tx, order_id, merchant)
    if order is None:
        return None
    calls = tuple(attempts_of(tx, order.id))
    entries = timeline.of_order(tx, order.id)
    events = tuple(_events(entries, calls))
    registry = known.registry
    flow = registry.flows.get(order.flow)
    detached = detached_with(tx, order.id)
    return Story(
        order=order,
        slip=_slip(flow, order, events) if flow and not detached else (),
        events=events,
        calls=calls,
        payment=payment_of(tx, order.id),
        parked=parking.of_order(tx, order.id),
        wait=waits_for(tx, known, order, calls, now_ms),
        choices=_choices(tx, registry, order, calls, now_ms) if flow else (),
        detached=detached,
    )


def _choices(
    tx: Tx, registry: Registry, order: Order, calls: Sequence[Attempt], now_ms: int
) -> tuple[Choice, ...]:
    retry = to_retry(tx, registry, order, calls, now_ms)
    found = (*((retry,) if retry else ()), *choices(tx, registry, order, calls))
    return tuple(with_refund(tx, registry, order, it) for it in found)


def _events(entries: Sequence[Entry], calls: Sequence[Attempt]) -> Iterator[Event]:
    """Put each call's beginning and end before what came of it."""
    waiting = sorted(_moments(calls), key=lambda moment: moment.at)
    for entry in entries:
        while waiting and (
            waiting[0].at < entry.at
            or (waiting[0].at == entry.at and waiting[0].step == entry.step)
        ):
            yield waiting.pop(0)
        detail: Mapping[str, Any] = orjson.loads(entry.detail) if entry.detail else {}
        yield Event(
            entry.at,
            entry.event,
            entry.step,
            entry.attempt,
            entry.version,
            detail,
            say_entry(entry, detail),
        )
    yield from waiting


def _moments(calls: Sequence[Attempt]) -> Iterator[Event]:
    for call in calls:
        begun, ended = call.intended_at, call.ended_at
        yield Event(begun, CALLED, call.step, call.attempt, 0, {}, say_call(call))
        if ended is not None and not call.is_open:
            detail = {"state": call.state}
            at = max(begun, ended)  # a clock may have been put back
            yield Event(at, CALL_ENDED, call.step, call.attempt, 0, detail, say_end(call))


def _slip(flow: Flow, order: Order, events: Sequence[Event]) -> tuple[Stop, ...]:
    done = {event.step for event in events if event.event == TimelineEvent.DONE}
    due = "" if order.status in TERMINAL else step_at(flow, place_of(order))
    forward = order.status not in TERMINAL and not order.backwards

    def state(step: str, undo: str) -> str:
        if undo and (undo in done or undo == due):
            return UNDOING if undo == due else UNDONE
        if step in done:
            return DONE
        if step == due:
            return NOW
        return AHEAD if forward else NOT_TAKEN

    return tuple(Stop(step.name, step.undo, state(step.name, step.undo)) for step in flow.steps)
