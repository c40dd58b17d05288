"""Bugs of what people decide, of keys, and of what a clock that is wrong leaves behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from conveyor.adapters import steady_clock
from conveyor.commerce.orders import intake_consumer, placement
from conveyor.core import (
    ahead,
    applying_outcomes,
    dead_letter,
    interventions,
    reconciler,
    routing_slip,
)
from conveyor.flows.renewal.subscriptions import due, store
from conveyor.flows.renewal.subscriptions.tables import plans, subscriptions
from conveyor.testing.loop import OWNER, START_MS
from conveyor.testing.planted.planting import always, bug, nothing

BY_MESSAGE = intake_consumer.MESSAGE_KEY_PREFIX


def _forgets_to_mark(right: Any) -> Any:
    def moved(tx: Any, registry: Any, order: Any, *rest: Any, **more: Any) -> Any:
        return right(tx, registry, order._replace(cancelling=False), *rest, **more)

    return moved


def _one_less(right: Any) -> Any:
    def back(flow: Any, place: Any, ending: str) -> Any:
        there = right(flow, place, ending)
        return replace(there, position=max(there.position - 1, -1))

    return back


def _keyless(right: Any) -> Any:
    return lambda order_id, merchant, _key, body, flow: right(order_id, merchant, "", body, flow)


def _by_the_first_id(_right: Any) -> Any:
    return lambda message: BY_MESSAGE + dead_letter.first_message_id(message)


def _by_the_queues_id(right: Any) -> Any:
    """As once: a message has the identity that its queue gives it, and another when redriven."""

    def known_by(message: Any) -> str:
        key: str = right(message)
        return BY_MESSAGE + message.message_id if key.startswith(BY_MESSAGE) else key

    return known_by


def _as_the_wall_says(_right: Any) -> Any:
    """As once: the machine's wall clock, however it steps."""

    def now_ms(self: Any) -> int:
        owner: Any = OWNER.get()
        wrong: int = owner.clock_ms if owner else 0
        elapsed: float = self._elapsed()
        return START_MS + round(elapsed * 1000) + wrong

    return now_ms


def _whatever_is_due(_right: Any) -> Any:
    """As once: whatever the clock calls due, period after period, however long ago."""
    s, p = due._s, due._p
    chosen = sa.case((s.next_plan == "", s.plan), else_=s.next_plan)
    return (
        sa.select(*store.COLUMNS, *store.PLAN_COLUMNS)
        .select_from(subscriptions)
        .join(plans, sa.and_(p.merchant == s.merchant, p.id == chosen))
        .where(
            s.merchant == sa.bindparam("of_merchant"),
            s.due_at <= due._now,
            s.share < sa.bindparam("shares"),
        )
        .order_by(s.due_at, s.id)
        .limit(sa.bindparam("page"))
    )


def _only_before(_right: Any) -> Any:
    return lambda _self, before: {"before": before, "ahead": 10**15}


WALL_CLOCK = (steady_clock.SteadyClock, "now_ms", _as_the_wall_says)
NOTHING_RECALLED = (
    (ahead, "recall_all", nothing),
    (reconciler.Reconciler, "_bounds", _only_before),
)
ALL_DUE = ((due, "_DUE", _whatever_is_due), (due, "_TAKE", _whatever_is_due))

BUGS = (
    bug("cancel_forgets", "compensating forgets that the order is to turn back", "shop",
        (interventions, "move_order", _forgets_to_mark)),
    bug("cancel_while_calling", "an open call is cancelled under way", "shop",
        (interventions, "_call_is_open", always(value=False))),
    bug("cancel_while_calling_charge", "the same, of a renewal", "renewal",
        (interventions, "_call_is_open", always(value=False))),
    bug("never_too_late", "what has begun can still be cancelled", "shop",
        (interventions, "too_late_to_cancel", always(value=False))),
    bug("undo_one_less", "turning back leaves out a compensation", "shop",
        (applying_outcomes, "turn_back", _one_less)),
    bug("undo_one_less_food", "the same, of a meal", "food",
        (applying_outcomes, "turn_back", _one_less)),
    bug("undo_one_less_travel", "the same, of a journey", "travel",
        (applying_outcomes, "turn_back", _one_less)),
    bug("eaten_is_refused", "a meal that was brought and is not paid for is refused", "food",
        (routing_slip.Flow, "is_past_pivot", always(value=False))),
    bug("keyless", "idempotency keys are not kept", "shop",
        (placement, "request_for", _keyless)),
    bug("any_body", "an idempotency key answers for whatever body", "shop",
        (placement, "_fingerprint", always(""))),
    bug("intake_keyless", "the key of what comes in by the queue is not read", "shop",
        (intake_consumer, "_known_by", _by_the_first_id)),
    bug("redriven_is_new", "what is redriven to the intake is another order", "shop",
        (intake_consumer, "_known_by", _by_the_queues_id)),
    bug("years_ahead", "a clock that is a year ahead charges all that it calls due", "renewal",
        WALL_CLOCK, *ALL_DUE),
    bug("two_in_a_run", "whoever is behind is charged period after period", "renewal", *ALL_DUE),
    bug("clock_steps", "what a wrong clock has stored ahead stands", "shop",
        WALL_CLOCK, *NOTHING_RECALLED),
    bug("clock_steps_food", "the same, of a meal", "food", WALL_CLOCK, *NOTHING_RECALLED),
    bug("nothing_recalled", "the same, where a clock was wrong for long", "shop",
        *NOTHING_RECALLED),
)  # fmt: skip
