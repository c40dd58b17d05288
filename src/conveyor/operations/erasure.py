"""Takes what is personal of a customer out of all their orders, and keeps the books.

Amounts, references and ids stay: what was sold must be accounted for, and another order of the same
customer still is theirs. An order that is under way keeps what it needs until it is at its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import sqlalchemy as sa

from conveyor.commerce.orders.placement import fingerprint_of
from conveyor.commerce.orders.store import set_fingerprint
from conveyor.core import operator_actions, timeline
from conveyor.core.actor import NOBODY, Actor
from conveyor.core.order import Order
from conveyor.core.order_status import TERMINAL
from conveyor.core.personal import hidden
from conveyor.core.step import Now
from conveyor.core.tables import calls, orders
from conveyor.core.tables import timeline as timeline_table
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.extension import Extension, Kept, OfCustomer
from conveyor.operations.archive.erasing import erase_archived
from conveyor.operations.drained_of_customer import drained_of
from conveyor.system.composition import App

PAGE_ROWS = 200
STILL_UNDER_WAY = "is still under way"
NOT_INSTALLED = "is of a flow that is not installed here"

_PAGE = (
    sa.select(orders)
    .where(
        orders.c.customer == sa.bindparam("of_customer"),
        orders.c.merchant == sa.bindparam("of_merchant"),
        orders.c.id > sa.bindparam("after"),
    )
    .order_by(orders.c.id)
    .limit(PAGE_ROWS)
    .with_for_update()
)
_SET_BODY = (
    sa.update(orders).where(orders.c.id == sa.bindparam("b_id")).values(body=sa.bindparam("b_body"))
)
_FORGET_REQUESTS = (
    sa.update(calls).where(calls.c.order_id == sa.bindparam("b_order_id")).values(request="")
)
_STORY = sa.select(timeline_table.c.id, timeline_table.c.event, timeline_table.c.detail).where(
    timeline_table.c.order_id == sa.bindparam("of_order")
)
_SET_DETAIL = (
    sa.update(timeline_table)
    .where(
        timeline_table.c.order_id == sa.bindparam("b_order_id"),
        timeline_table.c.id == sa.bindparam("b_line"),
    )
    .values(detail=sa.bindparam("b_detail"))
)


@dataclass(slots=True)
class Erasure:
    """What was erased, and what could not be yet, with why."""

    customer: str
    erased: int = 0
    before: int = 0
    """Orders of which it was erased before."""
    kept: list[Kept] = field(default_factory=list)


async def erase_customer(app: App, merchant: str, customer: str, *, by: Actor = NOBODY) -> Erasure:
    """Erase it page by page, each in a transaction of its own; broken off, run it again.

    Then file by file of the archive, those that are at hand; the others are named. So are messages
    that wait on the desk and may tell of them.
    """
    done, who = Erasure(customer), replace(by, merchant=merchant)
    after: str | None = ""
    while after is not None:
        eraser = _Eraser(app, OfCustomer(merchant, customer), who, app.engine.now())
        page, after = await app.engine.database.run(partial(eraser.page, after=after))
        done.erased += page.erased
        done.before += page.before
        done.kept += page.kept
    gone = await erase_archived(app, merchant, customer, who)
    done.erased += gone.orders
    done.before += gone.before
    done.kept += gone.kept
    if merchant == app.settings.intake_merchant:  # whose such messages are, if they are anybody's
        done.kept += await app.engine.database.read(partial(drained_of, customer=customer))
    return done


class _Eraser:
    """Does so with one page."""

    def __init__(self, app: App, whose: OfCustomer, by: Actor, now: Now) -> None:
        self._personal = app.engine.registry.personal
        self._extensions: Sequence[Extension] = app.installed.extensions
        self._whose = whose
        self._by = by
        self._now = now

    def page(self, tx: Tx, after: str) -> tuple[Erasure, str | None]:
        """Erase a page; gives what became of it, and after which order the next begins."""
        asked = {"of_customer": self._whose.customer, "of_merchant": self._whose.merchant}
        found = [Order(*row) for row in tx.execute(_PAGE, asked | {"after": after}).all()]
        done = Erasure(self._whose.customer)
        erased = [order.id for order in found if self._erase(tx, order, done)]
        is_last = len(found) < PAGE_ROWS
        whose = replace(self._whose, orders=tuple(erased), is_last=is_last)
        done.kept += [kept for it in self._extensions for kept in it.forget(tx, whose)]
        done.erased = len(erased)
        if erased or (is_last and not after):
            operator_actions.note(
                tx,
                self._by,
                "customers.erase",
                self._now.ms,
                subject=self._whose.customer,
                detail={"orders": len(erased), "kept": len(done.kept)},
            )
        return done, None if is_last else found[-1].id

    def _erase(self, tx: Tx, order: Order, done: Erasure) -> bool:
        if order.status not in TERMINAL:
            done.kept.append(Kept(f"order {order.id}", STILL_UNDER_WAY))
            return False
        left = self._personal.erased(order)
        if left is None:
            done.kept.append(Kept(f"order {order.id}", NOT_INSTALLED))
            return False
        if left == order.raw_body:
            done.before += 1
            return False
        self._erase_from_story(tx, order, left)
        tx.later(_SET_BODY, {"b_id": order.id, "b_body": left})
        tx.later(_FORGET_REQUESTS, {"b_order_id": order.id})
        timeline.note(
            tx,
            order.id,
            order.version,
            self._now.ms,
            TimelineEvent.ERASED,
            detail=self._by.facts,
        )
        return True

    def _erase_from_story(self, tx: Tx, order: Order, left: str) -> None:
        """Take out what errors of an earlier version, or steps, have told of them."""
        personal = self._personal.texts(order)
        for line, event, detail in tx.execute(_STORY, {"of_order": order.id}).all():
            if event == TimelineEvent.PLACED:
                key, _ = timeline.placed_with(detail)
                if key:
                    set_fingerprint(tx, order.merchant, key, fingerprint_of(left))
                continue  # the key is an id
            if detail and (said := hidden(detail, personal)) != detail:
                row = {"b_order_id": order.id, "b_line": line, "b_detail": said}
                tx.later(_SET_DETAIL, row)
