"""Flows of a user's package for the simulator: what is right, and what a tired engineer writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from conveyor.core.answers import TAKEN, StepAnswer
from conveyor.core.order_status import SETTLED
from conveyor.extension import (
    Ambient,
    CallStep,
    Dependencies,
    Done,
    Extension,
    ExternalStep,
    Flow,
    LocalStep,
    Now,
    Order,
    Outcome,
    Port,
    Refused,
    Service,
    Settings,
    Step,
    StepHandler,
    Tx,
)
from conveyor.system.composition import App
from conveyor.testing import Life, until

CARD: dict[str, Any] = {
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CARD", "quantity": 1}],
    "total": 100,
    "payment": {"method": "card_ok"},
}


@dataclass
class Mailbox:
    """A mail server, which knows keys; `sent` are the orders that it was asked for."""

    sent: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    async def send(self, about: str, key: str) -> str:
        if key not in self.keys:
            self.keys.add(key)
            self.sent.append(about)
        return key

    async def find(self, key: str) -> str | None:
        return key if key in self.keys else None


@asynccontextmanager
async def opened(_settings: Settings, _ambient: Ambient) -> AsyncIterator[Mailbox]:
    yield Mailbox()


MAIL: Port[Mailbox] = Port("mail", opened)


class Send(CallStep[str, str]):
    """Asked with its key, and looked for when it is not known."""

    def __init__(self, mail: Mailbox) -> None:
        self.mail = mail

    def prepare(self, _tx: Tx, order: Order, _now: Now) -> str | Outcome:
        return order.id

    async def call(self, request: str, key: str) -> str:
        return await self.mail.send(request, key)

    async def ask(self, _request: str, key: str) -> str | None:
        return await self.mail.find(key)

    def record(self, _tx: Tx, _order: Order, _answer: str, _now: Now) -> Outcome:
        return Done()


class SendAnew(Send):
    """A key of its own for each call, and nobody asked: what was not answered is sent once more."""

    calls = 0

    async def call(self, request: str, key: str) -> str:
        self.calls += 1
        return await self.mail.send(request, f"{key}#{self.calls}")

    async def ask(self, _request: str, _key: str) -> str | None:
        return None


async def one_mail(app: App, order_id: str) -> None:
    sent = app.ports[MAIL].sent.count(order_id)
    assert sent == 1, f"{sent} mails were sent"


def lives_of(flow: str, **more: Any) -> Mapping[str, Life]:
    return {"a card": Life(CARD | {"flow": flow}, **more)}


def mailed(flow: str, step: Callable[[Mailbox], StepHandler]) -> Extension:
    """Give a flow whose one step sends a mail."""
    service = f"{flow}-mail"

    def steps(given: Dependencies) -> Mapping[str, StepHandler]:
        return {f"{service}.send": step(given.ports[MAIL])}

    return Extension(
        flow,
        flows=(_flow(flow, f"{service}.send"),),
        services=(Service(service, steps, calls=MAIL),),
        ports=(MAIL,),
        lives={flow: lambda: lives_of(flow, check=one_mail, ports=lambda: {MAIL: Mailbox()})},
    )


def _flow(name: str, *steps: str) -> Flow:
    slip = (*(Step(step) for step in steps), Step("orders.complete"))
    return Flow(name=name, version=1, steps=slip, cancel_until=steps[0])


MAILED = mailed("mailed", Send)
MAILED_ANEW = mailed("mailed_anew", SendAnew)


class Billed(BaseModel):
    """What the program says."""

    paid: bool


def billed(_tx: Tx, _order: Order, answer: Billed, _now: Now) -> Outcome:
    return Done() if answer.paid else Refused("not paid")


async def bill(app: App, order_id: str) -> None:
    """Stand for the program that reads the queue: it answers until that is taken."""
    paid = StepAnswer(order_id, "billing.bill", {"paid": True})
    while await until(app, order_id, "processing", "compensating") not in SETTLED:
        if await app.answers.take(paid) == TAKEN:
            return
        await asyncio.sleep(1)


BILLING = {"billing.bill": ExternalStep(billed, answer=Billed, seconds=3_600.0)}
ELSEWHERE = Extension(
    "billed",
    flows=(_flow("billed", "billing.bill"),),
    services=(Service("billing", BILLING, external=True),),
    lives={"billed": lambda: lives_of("billed", meanwhile=bill)},
)


def done(_tx: Tx, _order: Order, _now: Now) -> Outcome:
    return Done()


SILENT = Extension(
    "silent",
    flows=(_flow("silent", "silence.keep"),),
    services=(Service("silence", {"silence.keep": LocalStep(done)}),),
)
UNBOUND = Extension(
    "unbound",
    flows=(_flow("unbound", "unbound.send"),),
    services=(Service("unbound", lambda given: {"unbound.send": Send(given.ports[MAIL])}),),
    ports=(MAIL,),
    lives={"unbound": lambda: lives_of("unbound")},
)
