"""Placing orders: answered only once the order and its first token are on disk."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson

from conveyor.commerce.orders.model import OrderBody
from conveyor.commerce.orders.skus import keep_skus
from conveyor.commerce.orders.store import KeptKey, find_keys, keep_key
from conveyor.core.after_commit import AfterCommit
from conveyor.core.batching import Batcher, each_its_own
from conveyor.core.engine import Engine
from conveyor.core.errors import UNABLE, CommitUnknownError
from conveyor.core.placing import NewOrder, place
from conveyor.core.registry import Registry
from conveyor.core.relay import commit
from conveyor.core.routing_slip import Flow
from conveyor.core.step import Now
from conveyor.core.transaction import Tx, Urgent

DEFAULT_FLOW = OrderBody.model_fields["flow"].default
GROUP_SIZE = 200
MAX_WAITING = 5_000
"""Back-pressure: with so many orders waiting for the disk, further ones are sent away."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The order stands. `again`: it already did, this key placed it before."""

    order_id: str
    placed_at: int
    again: bool


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The idempotency key belongs to an order with another body."""

    key: str
    order_id: str


@dataclass(frozen=True, slots=True)
class KeyInFlight:
    """A request with this key is being handled right now."""

    key: str


@dataclass(frozen=True, slots=True)
class Overloaded:
    """Too many orders are waiting for the disk; try again in a moment."""

    waiting: int


@dataclass(frozen=True, slots=True)
class Request:
    """An order to place, with its idempotency key, '' for none."""

    merchant: str
    key: str
    fingerprint: str
    new: NewOrder
    skus: frozenset[str]


Answer = Placed | KeyReused | KeyInFlight | Overloaded
Outcome = Placed | KeyReused


class Placement:
    """Takes validated orders in, group by group."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is started; `place` may be called by any number of requests at once."""
        self._engine = engine
        self._in_flight: set[tuple[str, str]] = set()
        self._batcher: Batcher[Request, Placed | KeyReused] = Batcher(self._handle, GROUP_SIZE)
        self._last = ""  # the last order that this process has placed
        self._relays: set[asyncio.Task[None]] = set()

    async def place(self, merchant: str, key: str, body: OrderBody) -> Answer:
        """Place an order; `key` is '' for none. Raises `UnknownFlowError`."""
        flow = self._engine.registry.newest(body.flow)
        if len(self._batcher) >= MAX_WAITING:
            return Overloaded(len(self._batcher))
        if not key:
            return await self._batcher.submit(self._request(merchant, key, body, flow))
        if (merchant, key) in self._in_flight:
            return KeyInFlight(key)
        self._in_flight.add((merchant, key))
        try:
            return await self._batcher.submit(self._request(merchant, key, body, flow))
        finally:
            self._in_flight.discard((merchant, key))

    async def settle(self) -> None:
        """Wait until what was committed has been relayed."""
        await self._batcher.join()
        while self._relays:
            await asyncio.wait(tuple(self._relays))

    def _request(self, merchant: str, key: str, body: OrderBody, flow: Flow) -> Request:
        order_id = self._engine.ambient.new_id()
        return traced(self._engine, request_for(order_id, merchant, key, body, flow))

    async def _handle(self, group: list[Request]) -> Sequence[Outcome | BaseException]:
        # Another process may have used one of the keys meanwhile: then one after the other.
        try:
            return await each_its_own(self._commit, group, UNABLE)
        except CommitUnknownError as error:
            return [await self._used_meanwhile(request) or error for request in group]

    async def _commit(self, group: Sequence[Request]) -> Sequence[Outcome]:
        engine = self._engine
        now = engine.now()

        def work(tx: Tx) -> AfterCommit[list[Outcome]]:
            return tx.leave(place_all(tx, engine.registry, group, now, after=self._last))

        # Who is behind takes orders in their turn only: then too many wait, and are sent away,
        # instead of being taken and left lying.
        placing = work if engine.is_behind else Urgent(work)
        try:
            outcomes, owed = await commit(engine.database, placing, engine.measures)
        except Exception:
            if len(group) == 1 and (used := await self._used_meanwhile(group[0])):
                return [used]
            raise
        self._last = owed[-1].order_id if owed else self._last
        # Whoever placed an order is answered at once: it is on disk.
        task = asyncio.create_task(engine.relay.send(owed))
        self._relays.add(task)
        task.add_done_callback(self._relays.discard)
        return outcomes

    async def _used_meanwhile(self, request: Request) -> Placed | KeyReused | None:
        """Answer by the key if it is kept by now: by another process, or a commit gone silent."""
        if not request.key:
            return None
        try:
            kept = await self._engine.database.read(
                lambda tx: find_keys(tx, request.merchant, [request.key]).get(request.key)
            )
        except UNABLE:  # then what was raised before is all that is known
            return None
        return _answer_of(kept, request) if kept else None


def request_for(order_id: str, merchant: str, key: str, body: OrderBody, flow: Flow) -> Request:
    """Write an order as it will be kept; `key` is '' for none."""
    text = as_kept(body)
    new = NewOrder(
        id=order_id,
        merchant=merchant,
        flow=flow,
        reference=body.reference,
        customer=body.customer.id,
        currency=body.currency,
        total=body.amount,
        body=text.decode(),
    )
    skus = frozenset(item.sku for item in body.items)
    return Request(merchant, key, _fingerprint(text), new, skus)


def as_kept(body: OrderBody) -> bytes:
    """Write what was ordered as it is kept."""
    fields = body.model_dump(exclude_defaults=True)
    if body.flow != DEFAULT_FLOW:
        # Its body's default, and yet it is what tells the order from one of another flow.
        fields["flow"] = body.flow
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def traced(engine: Engine, request: Request, *, alone: bool = False) -> Request:
    """Give the order its place in a trace, where there are any: in that of whoever asks for it.

    One of many that are placed at once is `alone` in its own.
    """
    if engine.traces is None:
        return request
    span, asked = engine.traces.begin(alone=alone)
    return replace(request, new=replace(request.new, span=span, asked=asked))


def fingerprint_of(body: str) -> str:
    """Give what is kept with the key of an order, to tell its body from another."""
    return _fingerprint(body.encode())


def _fingerprint(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def place_all(
    tx: Tx, registry: Registry, group: Sequence[Request], now: Now, *, after: str = ""
) -> list[Outcome]:
    """Place orders in this transaction.

    Each remembers the one before it; `after` is one that is committed, '' for none. A key that
    another process uses meanwhile fails the transaction.
    """
    keys: dict[str, list[str]] = defaultdict(list)
    for request in group:
        if request.key:
            keys[request.merchant].append(request.key)
    kept = {merchant: find_keys(tx, merchant, wanted) for merchant, wanted in keys.items()}
    outcomes: list[Outcome] = []
    for request in group:
        used = kept.get(request.merchant, {}).get(request.key)
        outcomes.append(_place_one(tx, registry, request, used, now, after=after))
        after = request.new.id if used is None else after
    return outcomes


def _place_one(
    tx: Tx, registry: Registry, request: Request, kept: KeptKey | None, now: Now, *, after: str
) -> Outcome:
    if kept is not None:
        return _answer_of(kept, request)
    place(tx, registry, request.new, now, request.key, after=after)
    keep_skus(tx, request.new.id, request.skus)
    if request.key:
        keep_key(
            tx,
            KeptKey(request.merchant, request.key, request.fingerprint, request.new.id, now.ms),
        )
    return Placed(request.new.id, now.ms, again=False)


def _answer_of(kept: KeptKey, request: Request) -> Placed | KeyReused:
    if kept.fingerprint != request.fingerprint:
        return KeyReused(kept.key, kept.order_id)
    return Placed(kept.order_id, kept.placed_at, again=True)
