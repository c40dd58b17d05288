"""Whatever the API may answer, a command says in words."""

from typing import Any, get_args

import pytest

from conveyor.entrypoints.cli.orders import _cancelled
from conveyor.entrypoints.http.schemas import CancelAnswer

OUTCOMES = get_args(CancelAnswer.model_fields["outcome"].annotation)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_cancellation_says_what_becomes_of_the_money(outcome: str) -> None:
    answer: dict[str, Any] = {"outcome": outcome, "steps": ["payments.void"]}
    if outcome == "part_refund":
        answer |= {"kept": 1_250, "returned": 1_251}
    said = _cancelled(answer)
    assert said.startswith("It is being cancelled")
    assert said.endswith("Still to run: payments.void.")
    assert ("1,250 is kept and 1,251 returned" in said) is (outcome == "part_refund")
