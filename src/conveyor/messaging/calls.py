"""Calls to providers: the intent before, the result after, and what is not known in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from conveyor.messaging.errors import NotAppliedError
from conveyor.messaging.order import Order
from conveyor.messaging.statements import one_of
from conveyor.messaging.step import CallStep, Now
from conveyor.messaging.tables import calls
from conveyor.messaging.transaction import Tx

INTENDED = "intended"
ANSWERED = "answered"
NOT_APPLIED = "not_applied"
UNKNOWN = "unknown"
OPEN = frozenset({INTENDED, UNKNOWN})

# Stripe may forget an idempotency key after 24 hours: an older unknown is looked up, never retried.
KEY_LIFETIME_MS = 24 * 3_600_000

_INTEND = sa.insert(calls)
_END = (
    sa.update(calls)
    .where(
        calls.c.order_id == sa.bindparam("b_order_id"),
        calls.c.step == sa.bindparam("b_step"),
        calls.c.attempt == sa.bindparam("b_attempt"),
    )
    .values(state=sa.bindparam("b_state"), ended_at=sa.bindparam("b_ended_at"))
)
_OF_ORDERS = (
    sa.select(calls)
    .where(one_of(calls.c.order_id, "ids"))
    .order_by(calls.c.order_id, calls.c.attempt)
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of `calls`."""

    order_id: str
    step: str
    attempt: int
    state: str
    intended_at: int
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be asked of a provider, by which step of which order."""

    order: Order
    step_name: str
    step: CallStep[Any, Any]
    payload: object


@dataclass(frozen=True, slots=True)
class Calling:
    """A call whose intent is committed. `known`: the provider may have it already, ask first."""

    order: Order
    step_name: str
    step: CallStep[Any, Any]
    payload: object
    attempt: int
    known: bool
    expired: bool

    @property
    def key(self) -> str:
        """The idempotency key: order, step, attempt."""
        return f"{self.order.id}/{self.step_name}/{self.attempt}"


@dataclass(frozen=True, slots=True)
class Failed:
    """The call did not give an answer. `certain`: it is certain that it did nothing."""

    error: Exception
    certain: bool


def latest(tx: Tx, order_ids: Sequence[str]) -> dict[tuple[str, str], Attempt]:
    """Give the newest attempt of each order and step."""
    rows = tx.execute(_OF_ORDERS, {"ids": list(order_ids)}).all()
    return {(row[0], row[1]): Attempt(*row) for row in rows}


def intend(tx: Tx, request: Request, last: Attempt | None, now: Now) -> Calling:
    """Write the intent of a new attempt, or take up one whose result is not known."""
    order, name = request.order, request.step_name
    call = (order, name, request.step, request.payload)
    if last is not None and last.state in OPEN:
        expired = now.ms - last.intended_at > KEY_LIFETIME_MS
        return Calling(*call, last.attempt, known=True, expired=expired)
    attempt = last.attempt + 1 if last else 1
    tx.later(
        _INTEND,
        {
            "order_id": order.id,
            "step": name,
            "attempt": attempt,
            "state": INTENDED,
            "intended_at": now.ms,
            "ended_at": None,
        },
    )
    return Calling(*call, attempt, known=False, expired=False)


async def perform(calling: Calling) -> object:
    """Call the provider, or ask what became of an earlier call.

    Gives the provider's answer, or `Failed`: every failure becomes a value.
    """
    try:
        if calling.known:
            answer: object = await calling.step.ask(calling.payload, calling.key)
            if answer is not None:
                return answer
            if calling.expired:
                # The key is forgotten and the provider knows nothing of it: the attempt is over.
                return Failed(NotAppliedError("the provider has no trace of it"), certain=True)
        return await calling.step.call(calling.payload, calling.key)
    except NotAppliedError as error:
        # An earlier, unanswered call with this key may still have been applied.
        return Failed(error, certain=not calling.known)
    except Exception as error:  # noqa: BLE001 - whatever it is, the provider may have acted
        return Failed(error, certain=False)


def end(tx: Tx, calling: Calling, state: str, now: Now) -> None:
    """Write what became of an attempt."""
    tx.later(
        _END,
        {
            "b_order_id": calling.order.id,
            "b_step": calling.step_name,
            "b_attempt": calling.attempt,
            "b_state": state,
            "b_ended_at": now.ms,
        },
    )
