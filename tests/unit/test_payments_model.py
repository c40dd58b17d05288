"""The rules of money hold whatever is asked, in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from conveyor.adapters.simulated.payment_account import OPENING, Account, Entry, Operation
from conveyor.commerce.payments.model import Payment
from conveyor.commerce.payments.ports import PaymentRequest

AMOUNTS = st.integers(min_value=0, max_value=1_000)


@st.composite
def payments(draw: st.DrawFn) -> Payment:
    authorized = draw(AMOUNTS)
    captured = draw(st.integers(0, authorized))
    refunded = draw(st.integers(0, captured))
    voided = not captured and draw(st.booleans())
    return Payment("o", "USD", "card_ok", "r", authorized, captured, refunded, voided)


@given(payments())
def test_money_is_either_open_or_captured_or_let_go(payment: Payment) -> None:
    assert payment.open in {0, payment.authorized}
    if payment.captured or payment.voided:
        assert payment.open == 0
    assert 0 <= payment.kept <= payment.captured


def test_a_capture_of_a_part_ends_the_authorization() -> None:
    assert Payment("o", "USD", "card_ok", "r", 100, 40, 0, voided=False).open == 0


@given(st.lists(st.tuples(st.sampled_from(Operation), st.integers(-5, 150)), max_size=12))
def test_a_provider_never_moves_more_than_it_may(asked: list[tuple[Operation, int]]) -> None:
    account = Account()
    captures = 0
    post(account, Operation.AUTHORIZE, 100)
    for operation, amount in asked:
        request = PaymentRequest("o", amount, "USD", "card_ok", "r")
        # An account is opened once: a second is another account's.
        if operation in OPENING or account.objection(operation, request):
            continue
        post(account, operation, amount)
        captures += operation is Operation.CAPTURE
        assert amount > 0
        assert 0 <= account.refunded <= account.captured <= account.authorized
        assert captures <= 1
        assert not (account.voided and account.captured)


@given(st.sampled_from(Operation))
def test_money_of_another_currency_or_of_no_authorization_is_not_moved(op: Operation) -> None:
    account = Account()
    in_euro = PaymentRequest("o", 100, "EUR", "card_ok", "r")
    if op not in OPENING:
        assert account.objection(op, in_euro) == "no such authorization"
        post(account, Operation.AUTHORIZE, 100)
        assert account.objection(op, in_euro) == "authorized in USD"


def post(account: Account, operation: Operation, amount: int) -> None:
    account.post(
        Entry(
            key="k",
            order_id="o",
            operation=operation,
            authorization="r",
            reference="r",
            amount=amount,
            currency="USD",
            approved=True,
            reason="",
            at=0,
        )
    )
