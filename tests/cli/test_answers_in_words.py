"""Whatever the API may answer, a command says in words."""

from typing import Any, get_args

import pytest

from conveyor.entrypoints.cli.order_words import cancelled
from conveyor.entrypoints.http.schemas import CancelAnswer

OUTCOMES = get_args(CancelAnswer.model_fields["outcome"].annotation)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_cancellation_says_what_becomes_of_the_money(outcome: str) -> None:
    answer: dict[str, Any] = {
        "outcome": outcome,
        "status": "compensating",
        "steps": ["payments.void"],
    }
    if outcome == "part_refund":
        answer |= {"kept": 1_250, "returned": 1_251, "currency": "EUR"}
    said = cancelled(answer)
    assert said.startswith("It is being cancelled: ")
    assert said.endswith("Still to run: payments.void.")
    assert ("it costs EUR 12.50; EUR 12.51 goes back" in said) is (outcome == "part_refund")
    assert cancelled(answer | {"status": "cancelled"}).startswith("It is cancelled: ")
