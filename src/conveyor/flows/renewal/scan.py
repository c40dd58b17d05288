"""The due-scan: starts the renewals that are due, hundreds of orders a transaction.

A page claims its subscriptions and places their orders in one transaction, so that a scan can be
killed at any moment and begun again, and any number may run at once: what another is claiming is
passed over, and what is claimed is not due any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from conveyor.commerce.orders.model import Customer, Item, Payment
from conveyor.commerce.orders.placement import Placed, Request, place_all, request_for, traced
from conveyor.core.engine import Engine
from conveyor.core.supervision import wait_for_stop
from conveyor.core.transaction import Tx
from conveyor.flows.renewal.body import RenewalBody
from conveyor.flows.renewal.subscriptions import control, due, renewals, store
from conveyor.flows.renewal.subscriptions.due import Run
from conveyor.flows.renewal.subscriptions.model import (
    ALL_PER_CENT,
    Plan,
    Subscription,
    SubscriptionStatus,
)

log = logging.getLogger(__name__)

PAGE = 500
"""Subscriptions a transaction."""
FLOW = "renewal"
AT_THE_END = "cancelled at the end of its period"


@dataclass(frozen=True, slots=True)
class Page:
    """What one page did. `last`: nothing more can be started now, or `wait_ms` must pass first."""

    started: int = 0
    ended: int = 0
    paused: bool = False
    wait_ms: int = 0
    last: bool = True


@dataclass(slots=True)
class Scanned:
    """What a run did: renewals started, subscriptions that ended; `wait_ms` when held back."""

    run: Run
    started: int = 0
    ended: int = 0
    paused: bool = False
    wait_ms: int = 0
    more: bool = False


class Scan:
    """Scans one system's subscriptions."""

    def __init__(self, engine: Engine) -> None:
        """Nothing is started."""
        self._engine = engine

    def run_of(self, merchant: str, per_cent: float = ALL_PER_CENT) -> Run:
        """Give a run over a merchant's subscriptions that begins now, without those behind."""
        return Run(merchant, self._engine.ambient.now_ms(), per_cent)

    async def page(self, run: Run, limit: int = PAGE) -> Page:
        """Start one page; when this returns its orders are on disk, and their messages sent."""
        engine = self._engine
        return await engine.relay.commit(lambda tx: start_page(tx, engine, run, limit))

    async def some(self, run: Run, limit: int = PAGE) -> Scanned:
        """Start up to `limit`, or what the pace allows now."""
        done = Scanned(run)
        while done.started + done.ended < limit:
            room = min(PAGE, limit - done.started - done.ended)
            page = await self.page(run, room)
            done.started += page.started
            done.ended += page.ended
            if page.last or page.wait_ms:
                done.paused, done.wait_ms = page.paused, page.wait_ms
                done.more = bool(page.wait_ms)
                return done
        done.more = True
        return done

    async def all(self, run: Run, stop: asyncio.Event) -> Scanned:
        """Start whatever is due, as fast as the pace allows, until nothing is or `stop` is set."""
        done = Scanned(run)
        while not stop.is_set():
            page = await self.page(run)
            done.started += page.started
            done.ended += page.ended
            done.paused = page.paused
            if page.wait_ms:
                await wait_for_stop(stop, page.wait_ms / 1000)
            elif page.last:
                break
        return done

    async def run(self, stop: asyncio.Event, every_seconds: float) -> None:
        """Look for what is due, of every merchant, again and again until `stop` is set."""
        while not stop.is_set():
            for merchant in await self._merchants():
                # One merchant is not to stop others.
                said = "renewals of %s cannot be started; it is tried again"
                with self._engine.gate.surviving(log, said, merchant):
                    await self.all(self.run_of(merchant), stop)
            await wait_for_stop(stop, every_seconds)

    async def _merchants(self) -> Sequence[str]:
        now = self._engine.ambient.now_ms()
        with self._engine.gate.surviving(log, "looking for what is due failed; it is tried again"):
            return await self._engine.database.read(lambda tx: due.merchants_with_due(tx, now))
        return ()


def start_page(tx: Tx, engine: Engine, run: Run, limit: int) -> Page:
    """Claim a page of what is due and place its orders, in this transaction."""
    now = engine.now()
    allowed = control.read(tx, run.merchant)
    if allowed.paused:
        return Page(paused=True)
    run = replace(run, per_cent=min(run.per_cent, allowed.per_cent))
    admitted = control.spend(tx, run.merchant, now.ms, limit)
    if not admitted.count:
        waiting = due.due(tx, run, now.ms, limit=1, take=False)
        return Page(wait_ms=admitted.wait_ms) if waiting else Page()
    found = due.due(tx, run, now.ms, limit=admitted.count, take=True)
    requests = []
    for subscription, plan in found:
        if subscription.cancel_at_end:
            store.save(tx, subscription.ended(SubscriptionStatus.CANCELLED, AT_THE_END))
            continue
        request = _request(engine, subscription, plan)
        renewals.claim(tx, subscription, plan, request.new.id)
        requests.append(request)
    _place(tx, engine, requests)
    return Page(len(requests), len(found) - len(requests), last=not found)


def _place(tx: Tx, engine: Engine, requests: list[Request]) -> None:
    placed = place_all(tx, engine.registry, requests, engine.now())
    # Somebody's order has the key, but not the period: it will be refused, and this one goes ahead.
    keyless = [
        replace(request, key="")
        for request, outcome in zip(requests, placed, strict=True)
        if not isinstance(outcome, Placed) or outcome.again
    ]
    if keyless:
        _place(tx, engine, keyless)


def _request(engine: Engine, subscription: Subscription, plan: Plan) -> Request:
    body = RenewalBody(
        reference=f"{subscription.id} {subscription.period}",
        customer=Customer(id=subscription.customer),
        currency=plan.currency,
        items=[Item(sku=plan.id, quantity=1, unit_price=plan.price)],
        payment=Payment(method=subscription.card),
        subscription=subscription.id,
        period=subscription.period,
    )
    key = key_of(subscription.id, subscription.period)
    flow = engine.registry.newest(FLOW)
    order_id = engine.ambient.new_id()
    request = request_for(order_id, subscription.merchant, key, body, flow)
    return traced(engine, request, alone=True)


def key_of(subscription: str, period: int) -> str:
    """Give the idempotency key of a renewal: subscription and period."""
    return f"renewal/{subscription}/{period}"
