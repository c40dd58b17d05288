"""Messages that no process could handle, in piles of one queue and one cause each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.actor import Actor
from conveyor.core.dead_messages import is_json
from conveyor.core.engine import Engine
from conveyor.core.errors import PoisonError
from conveyor.core.message import Token, decode
from conveyor.core.order import Order
from conveyor.core.order_status import TERMINAL
from conveyor.core.routing_slip import service_of
from conveyor.core.statements import one_of
from conveyor.core.tables import orders
from conveyor.core.transaction import Tx
from conveyor.operations.dead_letters import (
    Look,
    Poison,
    discard_poison,
    look_into_dead_letters,
    redrive_poison,
)
from conveyor.operations.desk.causes import folded
from conveyor.operations.desk.judging import HELD_BACK, Judgement, Verdict
from conveyor.operations.desk.members import Cursor
from conveyor.operations.desk.wanted import Item, Wanted
from conveyor.operations.previews import Action

PREFIX = "m-"
"""What the keys of such piles begin with."""
KEY_LENGTH = 16

_ORDERS = sa.select(orders).where(one_of(orders.c.id, "ids"))


@dataclass(frozen=True, slots=True)
class MessagePile:
    """Messages of one cause, the oldest first; `step` is the queue that they came from."""

    key: str
    step: str
    cause: str
    messages: tuple[Poison, ...]

    @property
    def oldest(self) -> int:
        """Give when the first of them was sent here."""
        return self.messages[0].sent_at


def message_piles(look: Look) -> list[MessagePile]:
    """Sort what a look into the dead-letter queues has found: the largest pile first."""
    found: dict[str, list[Poison]] = {}
    for poison in sorted(look.poison, key=_place):
        found.setdefault(_key_of(poison), []).append(poison)
    piles = [
        MessagePile(key, them[0].queue, folded(them[0].cause), tuple(them))
        for key, them in found.items()
    ]
    return sorted(piles, key=lambda pile: (-len(pile.messages), pile.key))


async def judge_messages(engine: Engine, them: Sequence[Poison]) -> dict[str, Judgement]:
    """Judge messages against the orders that they are about, by the messages' ids."""
    tokens = {it.message_id: _token_in(it) for it in them}
    ids = sorted({token.order_id for token in tokens.values() if isinstance(token, Token)})

    def read(tx: Tx) -> dict[str, Order]:
        return {row[0]: Order(*row) for row in tx.execute(_ORDERS, {"ids": ids})} if ids else {}

    known = await engine.database.read(read)
    services = {service_of(step) for step in engine.registry.steps}
    return {
        it.message_id: _judge(it, tokens[it.message_id], known, is_token=it.queue in services)
        for it in them
    }


async def find_message_pile(engine: Engine, key: str) -> MessagePile | None:
    """Give a pile; None: there is nothing of it that can be seen now."""
    piles = message_piles(await look_into_dead_letters(engine))
    return next((pile for pile in piles if pile.key == key), None)


async def look_at(engine: Engine, wanted: Wanted, after: Cursor, limit: int) -> list[Item]:
    """Say of some messages of a pile what would be done to each now."""
    pile = await find_message_pile(engine, wanted.pile)
    if pile is None:
        return []
    them = [it for it in pile.messages if it.sent_at <= wanted.until and _place(it) > after]
    them = [it for it in them if not wanted.chosen or it.message_id in wanted.chosen][:limit]
    verdicts = await judge_messages(engine, them)
    return [_item(it, wanted.action, verdicts[it.message_id]) for it in them]


async def make(engine: Engine, wanted: Wanted, message_id: str, by: Actor) -> bool:
    """Send one to its queue again, or delete it; says whether it was still there."""
    if wanted.action == Action.REDRIVE:
        return await redrive_poison(engine, message_id, by=by) is not None
    return await discard_poison(engine, message_id, by.why, by=by) is not None


def _item(it: Poison, action: Action, judgement: Judgement) -> Item:
    if action != Action.REDRIVE:
        return Item(it.message_id, _place(it), "deletes it for good", "")
    held_back = judgement.verdict in HELD_BACK
    left = f"{judgement.verdict}: {judgement.why}" if held_back else ""
    return Item(it.message_id, _place(it), f"sends it to {it.queue} again", left)


def _place(it: Poison) -> Cursor:
    return it.sent_at, it.message_id


def _judge(it: Poison, token: Token | str, known: dict[str, Order], *, is_token: bool) -> Judgement:
    if isinstance(token, str):
        if is_token or not is_json(it.body):
            return Judgement(Verdict.UNSAFE, f"it can never be handled: {token}")
        return Judgement(Verdict.APPLICABLE, "is taken in again")
    order = known.get(token.order_id)
    if order is None:
        return Judgement(Verdict.UNSAFE, f"there is no order {token.order_id} here")
    if order.status in TERMINAL:
        return Judgement(Verdict.OVERTAKEN, f"order {order.id} is {order.status}")
    if order.version != token.version:
        return Judgement(Verdict.DONE, f"order {order.id} has moved on from {token.step}")
    return Judgement(Verdict.APPLICABLE, f"order {order.id} is owed {token.step}")


def _token_in(poison: Poison) -> Token | str:
    """Give what a message says, or why it says nothing."""
    try:
        return decode(poison.body)
    except PoisonError as error:
        return str(error)


def _key_of(poison: Poison) -> str:
    said = "\0".join((poison.queue, folded(poison.cause)))
    return PREFIX + hashlib.sha256(said.encode()).hexdigest()[:KEY_LENGTH]
