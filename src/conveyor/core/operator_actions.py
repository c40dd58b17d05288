"""The log of what operators did: written with what they did, never changed, never deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa

from conveyor.core.actor import Actor
from conveyor.core.tables import metadata
from conveyor.core.transaction import Tx
from conveyor.core.untyped import SelectedRow

T = TypeVar("T")

operator_actions = sa.Table(
    "operator_actions",
    metadata,
    sa.Column(
        "id",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("action", sa.Text, nullable=False),  # such as orders.cancel
    sa.Column("order_id", sa.Text, nullable=False),  # '' for what is no order's
    sa.Column("subject", sa.Text, nullable=False),  # what it was done to, where that is no order
    sa.Column("merchant", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("key_label", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),  # JSON, '' for none
)
_a = operator_actions.c
_of_order = _a.order_id != sa.text("''")
sa.Index(
    "operator_actions_by_order",
    _a.order_id,
    _a.id,
    sqlite_where=_of_order,
    postgresql_where=_of_order,
)
sa.Index("operator_actions_by_time", _a.at)

_INSERT = sa.insert(operator_actions)


@dataclass(frozen=True, slots=True)
class Action:
    """A line of the log; `actor` has who, from where and why. `detail` holds nothing personal."""

    id: int
    at: int
    action: str
    order_id: str
    subject: str
    actor: Actor
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines; None: any. `since` is in milliseconds, `before` the id of the last one seen."""

    merchant: str | None = None
    order: str | None = None
    key: str | None = None
    action: str | None = None
    since: int | None = None
    before: int | None = None

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """Give what the database is to look for."""
        if self.merchant is not None:
            yield _a.merchant == self.merchant
        if self.order is not None:
            yield _a.order_id == self.order
            yield _of_order  # as its index says
        if self.key is not None:
            yield _a.key_id == self.key
        if self.action is not None:
            yield _a.action == self.action
        if self.since is not None:
            yield _a.at >= self.since
        if self.before is not None:
            yield _a.id < self.before


def note(
    tx: Tx,
    actor: Actor,
    action: str,
    now_ms: int,
    *,
    order: str = "",
    subject: str = "",
    merchant: str = "",
    detail: Mapping[str, object] | None = None,
) -> None:
    """Write what somebody does in this transaction.

    `merchant` is whose it is, where it is not the actor's.
    """
    row = {
        "at": now_ms,
        "action": action,
        "order_id": order,
        "subject": subject,
        "merchant": merchant or actor.merchant,
        "key_id": actor.key,
        "key_label": actor.label,
        "person": actor.person,
        "place": actor.place,
        "why": actor.why,
        "detail": orjson.dumps(detail).decode() if detail else "",
    }
    tx.later(_INSERT, row)


def noting(
    work: Callable[[Tx], T],
    actor: Actor,
    action: str,
    now_ms: int,
    *,
    subject: str = "",
    took: Callable[[T], bool] = lambda _: True,
    **detail: object,
) -> Callable[[Tx], T]:
    """Give the same work, that writes who does it: both stand, or neither.

    `took` says of what it gave whether anything was done.
    """

    def whole(tx: Tx) -> T:
        result = work(tx)
        if took(result):
            note(tx, actor, action, now_ms, subject=subject, detail=detail)
        return result

    return whole


def listing(tx: Tx, wanted: Wanted, limit: int) -> list[Action]:
    """List the newest first."""
    query = sa.select(operator_actions).where(*wanted.conditions()).order_by(_a.id.desc())
    return [_action(row) for row in tx.execute(query.limit(limit))]


def _action(row: SelectedRow) -> Action:
    actor = Actor(row.key_id, row.key_label, row.person, row.place, row.merchant, row.why)
    detail: dict[str, Any] = orjson.loads(row.detail) if row.detail else {}
    return Action(row.id, row.at, row.action, row.order_id, row.subject, actor, detail)
