"""What the simulated payment provider answers, and when it fails, by payment method."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from conveyor.adapters.simulated import payment_ledger as ledger
from conveyor.adapters.simulated.payment_account import (
    OPENING,
    STOLEN,
    UNKNOWN_METHOD,
    Account,
    Entry,
    Operation,
)
from conveyor.commerce.payments.ports import PaymentAnswer, PaymentRequest
from conveyor.core.errors import KeySpentError, NotAppliedError, UnansweredError
from conveyor.core.transaction import Tx

FLAKY_FAULTS = 2
"""How often `card_flaky` fails for an operation, and `card_saved_error` with another key each."""


class Method(StrEnum):
    """The payment methods that are known; any other is declined."""

    OK = "card_ok"
    DECLINED = "card_declined"
    INSUFFICIENT_FUNDS = "card_insufficient_funds"
    PAYDAY = "card_payday"
    STOLEN = "card_stolen"
    SLOW = "card_slow"
    FLAKY = "card_flaky"
    UNANSWERED = "card_unanswered"
    DOWN = "card_down"
    SAVED_ERROR = "card_saved_error"


METHODS = frozenset(Method)
DECLINED_AT_ONCE: dict[str, str] = {
    Method.DECLINED: "card declined",
    Method.INSUFFICIENT_FUNDS: "insufficient funds",
    Method.PAYDAY: "insufficient funds",
    Method.STOLEN: STOLEN,
}
PAYDAY_DECLINES = 2
"""How often `card_payday` is declined for an order before there is money."""
COUNTED = frozenset({Method.FLAKY, Method.SAVED_ERROR})
# These leave the caller in doubt with `card_unanswered`; giving money back always answers.
MOVES_MONEY_FORWARD = frozenset({*OPENING, Operation.CAPTURE})


@dataclass(frozen=True, slots=True)
class Instruction:
    """A request as it came in; it may fail, or be declined, whatever its method."""

    operation: Operation
    request: PaymentRequest
    key: str
    fails: bool = False
    declined: bool = False

    @property
    def subject(self) -> tuple[str, str]:
        """The order and what is to be done with it, whatever the attempt."""
        return (self.request.order_id, self.operation)


@dataclass(frozen=True, slots=True)
class Question:
    """A lookup as it came in."""

    key: str


Incoming = Instruction | Question
Result = PaymentAnswer | NotAppliedError | UnansweredError | None


def answer(tx: Tx, group: Sequence[Incoming], at: int) -> list[Result]:
    """Answer a group in one transaction: all is loaded, decided in turn, and written at once."""
    requests = [item.request for item in group if isinstance(item, Instruction)]
    asked = {item.key for item in group if isinstance(item, Question)}
    flaky = {request.order_id for request in requests if request.method in COUNTED}
    entries = ledger.load(tx, {request.order_id for request in requests}) if requests else []
    entries += ledger.find(tx, asked) if asked else []
    page = Page(entries, ledger.load_faults(tx, flaky) if flaky else {}, at)
    answers = [
        page.take(item) if isinstance(item, Instruction) else page.find(item.key) for item in group
    ]
    ledger.add(tx, page.added)
    ledger.set_faults(tx, page.faulted)
    return answers


class Page:
    """The part of the ledger that one group needs, and what the group adds to it."""

    def __init__(
        self, entries: Iterable[Entry], faults: dict[tuple[str, str], int], at: int
    ) -> None:
        self.added: list[Entry] = []
        self.faulted: dict[tuple[str, str], int] = {}
        self._at = at
        self._faults = faults
        self._answered: dict[str, Entry] = {}
        self._accounts: defaultdict[str, Account] = defaultdict(Account)
        self._subjects: Counter[tuple[str, str]] = Counter()
        for entry in {entry.key: entry for entry in entries}.values():
            self._post(entry)

    def find(self, key: str) -> PaymentAnswer | None:
        """Give the answer to a key, if there is one."""
        entry = self._answered.get(key)
        return None if entry is None else entry.answer

    def take(self, instruction: Instruction) -> Result:
        """Apply an instruction once, or give its earlier answer, or fail as its method says."""
        known = self.find(instruction.key)
        if known is not None:
            return known
        if instruction.fails:  # an answer, so that its order alone is to be parked
            return KeySpentError(f"the provider could not {instruction.operation}: internal error")
        if self._has_saved_error(instruction):
            return KeySpentError(f"the error of an earlier {instruction.operation}, played back")
        if self._fails(instruction):
            return NotAppliedError(f"provider unavailable for {instruction.operation}")
        entry = self._decide(instruction)
        first = instruction.subject not in self._subjects
        self._post(entry)
        self.added.append(entry)
        if first and self._keeps_silent(instruction) and entry.approved:
            return UnansweredError(f"no answer to {instruction.operation}")
        return entry.answer

    def _has_saved_error(self, instruction: Instruction) -> bool:
        request = instruction.request
        if request.method != Method.SAVED_ERROR:
            return False
        return self._faults.get((request.order_id, instruction.key), 0) > 0

    def _fails(self, instruction: Instruction) -> bool:
        if instruction.request.method not in COUNTED:
            return instruction.request.method == Method.DOWN
        if self._faults.get(instruction.subject, 0) == FLAKY_FAULTS:
            return False
        self._count(instruction.subject)
        if instruction.request.method == Method.SAVED_ERROR:
            self._count((instruction.request.order_id, instruction.key))
        return True

    def _count(self, what: tuple[str, str]) -> None:
        self._faults[what] = self.faulted[what] = self._faults.get(what, 0) + 1

    @staticmethod
    def _keeps_silent(instruction: Instruction) -> bool:
        return (
            instruction.request.method == Method.UNANSWERED
            and instruction.operation in MOVES_MONEY_FORWARD
        )

    def _decide(self, instruction: Instruction) -> Entry:
        operation, request, key = instruction.operation, instruction.request, instruction.key
        reference = f"sim_{key}"
        opening = operation in OPENING
        authorization = reference if opening else request.authorization
        reason = DECLINED_AT_ONCE[Method.DECLINED] if instruction.declined else ""
        if opening and not reason:
            reason = _refusal(request.method, self._subjects[instruction.subject])
        if not reason:
            # An unknown authorization has an empty account, which objects.
            account = self._accounts.get(authorization, Account())
            reason = account.objection(operation, request)
        return Entry(
            key=key,
            order_id=request.order_id,
            operation=operation.value,
            authorization=authorization,
            reference=reference,
            amount=request.amount,
            currency=request.currency,
            approved=not reason,
            reason=reason,
            at=self._at,
        )

    def _post(self, entry: Entry) -> None:
        self._answered[entry.key] = entry
        self._subjects[entry.order_id, entry.operation] += 1
        if entry.approved:
            self._accounts[entry.authorization].post(entry)


def _refusal(method: str, asked: int) -> str:
    if method not in METHODS:
        return UNKNOWN_METHOD
    if method == Method.PAYDAY and asked >= PAYDAY_DECLINES:
        return ""
    return DECLINED_AT_ONCE.get(method, "")
