"""The payment provider and the carrier of a simulation: actors outside all processes.

A request that was sent is applied when it arrives, whether or not its sender still waits, or
lives. Both keep books of their own, which the invariants are held against.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from conveyor.adapters.simulated.payment_account import Account, Entry, Operation
from conveyor.adapters.simulated.payment_answers import DECLINED_AT_ONCE, METHODS
from conveyor.commerce.payments.ports import PaymentAnswer, PaymentRequest
from conveyor.core.errors import NotAppliedError, UnansweredError
from conveyor.flows.shop.shipping.ports import (
    ARRIVED,
    IN_TRANSIT,
    LOST,
    CarrierAnswer,
    Dispatched,
    Parcel,
    Rejected,
)
from conveyor.testing.fate import SILENT, Fate
from conveyor.testing.loop import OUTSIDE, OWNER, START_MS, ProcessLoop

if TYPE_CHECKING:
    from conveyor.testing.process import Process

A = TypeVar("A")

KEY_LIFETIME_SECONDS = 24 * 3600.0
LONGEST_AWAITED_SECONDS = 200.0
"""How long whatever comes upon a request waits for it; then it does not come."""
LATEST_SECONDS = 55.0
"""By when what was sent has taken effect, if ever: sooner than a grant to call is over."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it was sent, for what must not be sent any more."""

    order_id: str
    operation: str
    key: str
    at: float
    by: Process


@dataclass(slots=True)
class ParcelTaken:
    """A parcel that the carrier has."""

    key: str
    order_id: str
    tracking: str
    arrives_at: float | None
    replaces: str

    def state(self, now: float) -> str:
        """Where it is."""
        if self.arrives_at is None:
            return LOST
        return ARRIVED if self.arrives_at <= now else IN_TRANSIT


class Outside:
    """The provider and the carrier, as one system of clocks, wires and books."""

    def __init__(self, loop: ProcessLoop, fate_of: Callable[[str, str], Fate]) -> None:
        """`fate_of` says what is to become of an operation for an order."""
        self.loop = loop
        self.fate_of = fate_of
        self.entries: list[Entry] = []
        self.answers: dict[str, tuple[PaymentAnswer | Exception, tuple[object, ...], float]] = {}
        self.accounts: defaultdict[str, Account] = defaultdict(Account)
        self.parcels: dict[str, ParcelTaken] = {}
        self.sent: list[Sent] = []
        self.said: list[str] = []
        """Violations that only the outside sees."""
        self._awaited: defaultdict[str, list[asyncio.Future[Any]]] = defaultdict(list)
        self.under_way = 0
        self.delivery_seconds = 5.0
        self.on_arrival: Callable[[ParcelTaken], None] = lambda _parcel: None

    def wire(
        self, operation: str, order_id: str, key: str, latency: float, apply: Callable[[Fate], A]
    ) -> Coroutine[Any, Any, A]:
        """Send a request; `apply` is what it does when it arrives."""
        fate = self.fate_of(operation, order_id)
        seconds = fate.seconds or latency
        by: Any = OWNER.get()  # it is a process of ours, as none other calls out
        self.sent.append(Sent(order_id, operation, key, self.loop.elapsed, by))
        self._tell_who_waits(self.sent[-1])
        arrives, silent = min(seconds / 2, LATEST_SECONDS), fate.how in SILENT
        if silent or fate.how == "slow":
            arrives = latency / 2
        if fate.how == "late":
            arrives = min(2 * seconds + latency, LATEST_SECONDS)
        answer: asyncio.Future[A] = self.loop.create_future()
        self.under_way += 1
        arrive = partial(self._arrive, apply, fate, answer, max(seconds - arrives, 0.0))
        self.loop.call_later(arrives, arrive, context=OUTSIDE)
        if silent:
            self._settle_later(answer, seconds, UnansweredError(f"no answer to {operation}"))
        return _answered(answer)

    async def asked_for(self, operation: str) -> Sent | None:
        """Wait for the next request for this, and give it; None: there is none for long."""
        asked: asyncio.Future[Sent | None] = self.loop.create_future()
        self._awaited[operation].append(asked)
        timer = self.loop.call_later(LONGEST_AWAITED_SECONDS, _give_up, asked)
        try:
            return await asked
        finally:
            timer.cancel()

    def _tell_who_waits(self, sent: Sent) -> None:
        for asked in self._awaited.pop(sent.operation, ()):
            if not asked.done():
                asked.set_result(sent)

    def _arrive(
        self, apply: Callable[[Fate], A], fate: Fate, answer: asyncio.Future[A], rest: float
    ) -> None:
        result: Any = None
        try:
            if fate.how != "lost":
                result = apply(fate)
        except Exception as error:
            result = error
        if inspect.iscoroutine(result):  # whoever it is takes time
            task = self.loop.create_task(_finished(result), context=OUTSIDE.copy())
            task.add_done_callback(lambda it: self._applied(fate, answer, rest, it.result()))
        else:
            self._applied(fate, answer, rest, result)

    def _applied(self, fate: Fate, answer: asyncio.Future[A], rest: float, result: Any) -> None:
        self.under_way -= 1
        if fate.how not in SILENT:
            self._settle_later(answer, rest, result)

    def _settle_later(self, answer: asyncio.Future[A], seconds: float, result: Any) -> None:
        def settle() -> None:
            if answer.done():
                return
            if isinstance(result, Exception):
                answer.set_exception(result)
            else:
                answer.set_result(result)

        self.loop.call_later(seconds, settle, context=OUTSIDE)

    # --- the provider ----------------------------------------------------------------------------

    def pay(
        self, operation: Operation, request: PaymentRequest, key: str, fate: Fate
    ) -> PaymentAnswer:
        """Apply an instruction once by its key."""
        body = (operation, request.amount, request.currency, request.method, request.authorization)
        known = self.answers.get(key)
        if known is not None and known[2] > self.loop.elapsed:
            if known[1] != body:
                self.said.append(f"same_key_same_body: {key} {known[1]} and {body}")
            if isinstance(known[0], Exception):
                raise known[0]
            return known[0]
        if fate.how in {"unavailable", "saved_error"}:
            error = NotAppliedError(f"the provider cannot {operation} now")
            if fate.how == "saved_error":
                self._keep(key, error, body)
            raise error
        entry = self._decide(operation, request, key, fate)
        self.entries.append(entry)
        if entry.approved:
            self.accounts[entry.authorization].post(entry)
            self._watch(entry)
        self._keep(key, entry.answer, body)
        return entry.answer

    def look_up(self, key: str, fate: Fate) -> PaymentAnswer | None:
        """Say what was answered to a key."""
        if fate.how not in {"ok", "slow", "declined"}:
            raise UnansweredError("no answer to lookup")
        return next((entry.answer for entry in reversed(self.entries) if entry.key == key), None)

    def _keep(self, key: str, answer: PaymentAnswer | Exception, body: tuple[object, ...]) -> None:
        self.answers[key] = (answer, body, self.loop.elapsed + KEY_LIFETIME_SECONDS)

    def _decide(self, operation: Operation, request: PaymentRequest, key: str, fate: Fate) -> Entry:
        reference = f"PAY{len(self.entries) + 1}"
        authorization = request.authorization or reference
        account = self.accounts.get(authorization, Account())
        reason = account.objection(operation, request)
        if not reason and operation in {Operation.AUTHORIZE, Operation.CHARGE}:
            unknown = "" if request.method in METHODS else "unknown payment method"
            reason = unknown or DECLINED_AT_ONCE.get(request.method, "")
        if not reason and fate.is_no:
            reason = "declined today"
        at = START_MS + round(self.loop.elapsed * 1000)
        return Entry(
            key, request.order_id, operation.value, authorization, reference, request.amount,
            request.currency, not reason, reason, at,
        )  # fmt: skip

    def _watch(self, entry: Entry) -> None:
        if entry.operation in {"void", "refund"}:
            return
        same = [
            e.key
            for e in self.entries
            if e.approved and e.order_id == entry.order_id and e.operation == entry.operation
        ]
        if len(same) > 1:
            self.said.append(f"{entry.operation}_once: {', '.join(same)}")

    # --- the carrier -----------------------------------------------------------------------------

    def dispatch(self, parcel: Parcel, key: str, fate: Fate) -> CarrierAnswer:
        """Take a parcel once by its key."""
        if fate.how in {"unavailable", "saved_error"}:
            raise NotAppliedError("the carrier takes nothing now")
        country, city = parcel.address.get("country"), parcel.address.get("city")
        if country == "XX" or fate.is_no:
            return Rejected("not served")
        if key not in self.parcels:
            lost = city == "Nowhere" or (city == "Limbo" and not parcel.replaces)
            at = None if lost else self.loop.elapsed + self.delivery_seconds
            taken = ParcelTaken(key, parcel.order_id, f"SIM{key}", at, parcel.replaces)
            self.parcels[key] = taken
            kept = [p for p in self.parcels.values() if p.order_id == parcel.order_id]
            if sum(p.arrives_at is not None for p in kept) > 1:
                self.said.append(f"shipped_once: {', '.join(p.key for p in kept)}")
            if at is not None and city != "Mute":
                self.loop.call_at(at, self.on_arrival, taken, context=OUTSIDE)
        return Dispatched(self.parcels[key].tracking)

    def status(self, key: str, fate: Fate) -> CarrierAnswer | None:
        """Say where a parcel is."""
        if fate.how not in {"ok", "slow", "declined"}:
            raise UnansweredError("no answer to status")
        found = self.parcels.get(key)
        return Dispatched(found.tracking, found.state(self.loop.elapsed)) if found else None


def _give_up(asked: asyncio.Future[Sent | None]) -> None:
    if not asked.done():
        asked.set_result(None)


async def _finished(applying: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await applying
    except Exception as error:
        return error


async def _answered(answer: asyncio.Future[A]) -> A:
    return await answer
