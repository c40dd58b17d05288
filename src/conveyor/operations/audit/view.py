"""All that the audit knows of an order, in one row: itself, its token, money, calls and story.

The view covers a range of ids, a page. An order and all that belongs to it is read in one
transaction, so a rule about one order can be judged while others are moving; no transaction lasts
longer than a page, however many orders there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.checks.columns import Column, count_if, on_page
from conveyor.commerce.payments.store import payments
from conveyor.core.attempts import summed_up
from conveyor.core.order_status import TERMINAL
from conveyor.core.routing_slip import Flow
from conveyor.core.tables import orders, outbox, parked
from conveyor.core.tables import timeline as entries
from conveyor.core.timeline_event import TimelineEvent

_BEGUN = (TimelineEvent.AWAITING,)
_MAY_HAVE_BEGUN = (TimelineEvent.AGAIN, TimelineEvent.PARKED, TimelineEvent.TURNED_BACK)


@dataclass(frozen=True, slots=True)
class View:
    """The joined tables. `story` and `attempts` are sums over an order's timeline and calls.

    A story is summed up once for all orders of a page that have had the same.
    """

    source: sa.FromClause
    story: sa.Subquery
    attempts: sa.Subquery

    def done(self, step: str) -> Column:
        """How often an order's step (or compensation) was done."""
        return sa.func.coalesce(self.story.c[f"done {step}"], 0)

    def begun(self, step: str) -> Column:
        """How often an order's step that can be undone was taken without coming to an end."""
        return sa.func.coalesce(self.story.c[f"begun {step}"], 0)

    def may_have_begun(self, step: str) -> Column:
        """How often the same may have been so: the order was stopped, or turned back, at it."""
        return sa.func.coalesce(self.story.c[f"may {step}"], 0)

    def done_at(self, step: str) -> Column:
        """Give the version at which what is undone, or costs a fee, was first done; or null."""
        return self.story.c[f"version {step}"]


def build_view(flows: Sequence[Flow]) -> View:
    """Join what belongs to an order; the story counts every step that these flows know."""
    steps = {name for flow in flows for line in flow.steps for name in (line.name, line.undo)}
    undoable = {line.name for flow in flows for line in flow.steps if line.undo}
    dated = {line.undo for flow in flows for line in flow.steps}
    dated |= {flow.fee.after for flow in flows if flow.fee}
    shaped = _shaped()
    story = _story(shaped, sorted(steps - {""}), sorted(undoable), dated)
    attempts = summed_up((), on_page)
    source: sa.FromClause = orders
    for table in (outbox, parked, payments):
        # Said twice, or PostgreSQL would read such a table whole.
        here = sa.and_(table.c.order_id == orders.c.id, on_page(table.c.order_id))
        source = source.outerjoin(table, here)
    for sums in (attempts, shaped):
        source = source.outerjoin(sums, sums.c.order_id == orders.c.id)
    return View(source.outerjoin(story, story.c.shape == shaped.c.shape), story, attempts)


def _shaped() -> sa.CTE:
    """Give each order's story in short: most orders of a page have had one of a few.

    The same entries in another order would be another shape, which costs time and nothing else.
    """
    entry = entries.c.event + " " + entries.c.step + " " + sa.cast(entries.c.version, sa.Text)
    return (
        sa.select(entries.c.order_id, sa.func.aggregate_strings(entry, ",").label("shape"))
        .where(on_page(entries.c.order_id))
        .group_by(entries.c.order_id)
        .cte("shaped")
    )


def _story(
    shaped: sa.CTE, steps: Iterable[str], undoable: Iterable[str], dated: Collection[str]
) -> sa.Subquery:
    """Count what each shape says, by the entries of one order that has it."""
    first = sa.func.min(shaped.c.order_id).label("order_id")
    examples = sa.select(shaped.c.shape, first).group_by(shaped.c.shape).subquery()
    event, version = entries.c.event, entries.c.version
    # A dropped duplicate is noted under the version that it came with, which may be any.
    moving = sa.case((event != TimelineEvent.DUPLICATE_DROPPED, version))
    # At its end an order is owed no step; a step's own refusal has the same name.
    ended = sa.and_(event.in_(sorted(TERMINAL)), entries.c.step == "")
    columns: list[Column] = [
        sa.func.count(sa.distinct(moving)).label("versions"),
        sa.func.max(moving).label("last_version"),
        count_if(event == TimelineEvent.PLACED).label("placed"),
        count_if(ended).label("endings"),
        # Of an order that ended more than once it is the later word: completed, then refunded.
        sa.func.max(sa.case((ended, event))).label("ended_as"),
        count_if(sa.and_(ended, event == TimelineEvent.COMPLETED)).label("completed"),
        count_if(event == TimelineEvent.REFUND_ASKED).label("refunds_asked"),
        sa.func.min(sa.case((event == TimelineEvent.CANCEL_ASKED, version))).label("cancel_asked"),
        sa.func.min(sa.case((event == TimelineEvent.PARKED, version))).label("parked_at"),
        count_if(event == TimelineEvent.PARKED).label("parked"),
        count_if(event == TimelineEvent.DISCARDED).label("discarded"),
    ]
    for step in steps:
        done = sa.and_(event == TimelineEvent.DONE, entries.c.step == step)
        columns.append(count_if(done).label(f"done {step}"))
        if step in dated:
            columns.append(sa.func.min(sa.case((done, version))).label(f"version {step}"))
    for step in undoable:
        for name, events in (("begun", _BEGUN), ("may", _MAY_HAVE_BEGUN)):
            here = sa.and_(event.in_(events), entries.c.step == step)
            columns.append(count_if(here).label(f"{name} {step}"))
    return (
        sa.select(examples.c.shape, *columns)
        .join(entries, entries.c.order_id == examples.c.order_id)
        .group_by(examples.c.shape)
        .subquery()
    )
