"""What must hold of every order: each rule is a sentence, and the SQL that is true where it fails.

The numbers are those of the invariants in the design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.checks.columns import Column
from conveyor.commerce.payments.store import payments
from conveyor.core.ambient import CLOCK_SLACK_MS
from conveyor.core.order_status import SETTLED, TERMINAL, UNDONE, OrderStatus
from conveyor.core.routing_slip import Flow
from conveyor.core.tables import orders, outbox, parked
from conveyor.operations.audit.view import View

PAYMENTS = "payments"

NOW = sa.bindparam("now", type_=sa.BigInteger)
LOST_BEFORE = sa.bindparam("lost_before", type_=sa.BigInteger)
"""An order that should have moved before this is stuck; 0 where nothing runs that would move it."""

_o = orders.c
_terminal = _o.status.in_(sorted(TERMINAL))
_settled = _o.status.in_(sorted(SETTLED))
_undone = _o.status.in_(sorted(UNDONE))
_owed_a_row = outbox.c.order_id.is_not(None)
_held = sa.case(
    (sa.or_(payments.c.voided, payments.c.captured > 0), 0),
    else_=sa.func.coalesce(payments.c.authorized, 0),
)
_fee = sa.func.coalesce(payments.c.fee, 0)
_captured = sa.func.coalesce(payments.c.captured, 0)
_kept = sa.func.coalesce(payments.c.captured - payments.c.refunded, 0)


@dataclass(frozen=True, slots=True)
class Rule:
    """Must hold of every order; `broken` is true of one that violates it.

    `by_story`: of one whose story was detached nobody can say.
    """

    name: str
    invariant: int
    says: str
    broken: Column
    by_story: bool = False


def order_rules(view: View, flows: Sequence[Flow]) -> list[Rule]:
    """Give the rules for orders of any flow; `flows` tells which of them are paid for."""
    return [*_endings(), *_money(view, flows), *_tokens(view), *_stories(view)]


def _endings() -> list[Rule]:
    ending = sa.case(
        (_o.status == OrderStatus.COMPLETED, _o.ending != ""), (_terminal, _o.ending != _o.status)
    )
    return [
        Rule(
            "status_declared",
            1,
            "Every order has a declared status, and a time of settling exactly at its end",
            sa.or_(_o.status.not_in(sorted(OrderStatus)), _terminal != _o.settled_at.is_not(None)),
        ),
        Rule(
            "ending_agrees",
            1,
            "An order ended as it was on its way to: completed forward, any other end backwards",
            sa.func.coalesce(ending, sa.false()),
        ),
        Rule(
            "parked_has_cause",
            1,
            "A parked order stands in front of an operator, with its cause; no other does",
            (_o.status == OrderStatus.PARKED) != parked.c.order_id.is_not(None),
        ),
    ]


def _money(view: View, flows: Sequence[Flow]) -> list[Rule]:
    money = payments.c
    paid = [f.key for f in flows if any(line.service == PAYMENTS for line in f.steps)]
    return [
        Rule(
            "captured_within_authorized",
            3,
            "One capture at most; captured within authorized, refunded within captured",
            sa.or_(
                money.captures > 1,
                money.captured > money.authorized,
                money.refunded > money.captured,
                money.refunded < 0,
                money.currency != _o.currency,
            ),
        ),
        Rule(
            "completed_is_paid",
            4,
            "Completed means that exactly the order's total was captured and kept",
            sa.and_(_o.status == OrderStatus.COMPLETED, _o.flow.in_(paid), _kept != _o.total),
        ),
        Rule(
            "refunded_is_given_back",
            4,
            "Refunded means that exactly the order's total was captured, and all of it given back",
            sa.and_(_o.status == OrderStatus.REFUNDED, sa.or_(_captured != _o.total, _kept != 0)),
        ),
        Rule(
            "undone_owes_nothing",
            4,
            "Cancelled or refused means that no money is held, and none kept but a fee",
            sa.and_(_undone, sa.or_(_kept != _fee, _held != 0)),
        ),
        Rule(
            "fee_by_policy",
            4,
            "A fee is that of its flow, for what a customer cancelled that late and nothing else",
            sa.or_(
                sa.and_(_fee != 0, _o.ending != OrderStatus.CANCELLED),
                sa.and_(_o.status == OrderStatus.CANCELLED, _fee != _policy(view, flows)),
            ),
            by_story=True,
        ),
    ]


def _policy(view: View, flows: Sequence[Flow]) -> Column:
    """Say what cancelling an order costs that got as far as its steps say.

    Who was parked before that was not cancelled through the customer's fault; an undoing that was
    parked is still the customer's.
    """
    asked = view.story.c.cancel_asked
    parked_once = sa.func.coalesce(view.story.c.parked_at < asked, sa.false())
    costs = [
        (
            sa.and_(_o.flow == flow.key, asked > view.done_at(fee.after), sa.not_(parked_once)),
            _o.total * fee.per_cent // 100,
        )
        for flow in flows
        if (fee := flow.fee)
    ]
    return sa.case(*costs, else_=0) if costs else sa.literal(0)


def _tokens(view: View) -> list[Rule]:
    open_calls = sa.func.coalesce(view.attempts.c.open, 0)
    return [
        Rule(
            "settled_owes_no_token",
            6,
            "An order at its end, or parked, has no token in the outbox",
            sa.and_(_settled, _owed_a_row),
        ),
        Rule(
            "token_is_current",
            6,
            "A token in the outbox is of its order's version",
            sa.and_(_owed_a_row, outbox.c.version != _o.version),
        ),
        Rule(
            "awaiting_has_deadline",
            6,
            "An order that awaits an answer has a timer for its deadline",
            sa.and_(
                _o.status == OrderStatus.AWAITING,
                sa.not_(_owed_a_row),
                _o.expected_at > NOW + CLOCK_SLACK_MS,
            ),
        ),
        Rule(
            "token_not_lost",
            6,
            "No order has waited for its token longer than the reconciler takes",
            sa.and_(sa.not_(_settled), sa.not_(_owed_a_row), _o.expected_at < LOST_BEFORE),
        ),
        Rule(
            "no_call_in_doubt",
            9,
            "No provider call of an order at its end is open, and never are two of one order",
            sa.or_(sa.and_(_terminal, open_calls > 0), open_calls > 1),
        ),
    ]


def _stories(view: View) -> list[Rule]:
    story = view.story.c
    last = sa.func.coalesce(story.last_version, 0)
    return [
        Rule(
            "versions_by_one",
            7,
            "Versions rise by one from 1, each with its entry in the timeline",
            sa.or_(
                sa.func.coalesce(story.versions, 0) != last,
                last > _o.version,
                last < _o.version - sa.case((_terminal, 0), else_=1),
                sa.func.coalesce(story.placed, 0) != 1,
            ),
            by_story=True,
        ),
        Rule(
            "ended_once",
            7,
            "An order at its end ended once, and once more for each refund that was asked for, "
            "as its status says; no other has ended",
            sa.or_(
                sa.func.coalesce(story.endings, 0)
                != sa.case((_terminal, 1), else_=0) + sa.func.coalesce(story.refunds_asked, 0),
                sa.and_(_terminal, story.ended_as != _o.status),
            ),
            by_story=True,
        ),
        Rule(
            "refunded_by_somebody",
            7,
            "Only what was completed is refunded, and only where an operator asked for it",
            sa.and_(
                _o.ending == OrderStatus.REFUNDED,
                sa.or_(
                    sa.func.coalesce(story.refunds_asked, 0) == 0,
                    story.completed != story.refunds_asked,
                ),
            ),
            by_story=True,
        ),
    ]
