"""The flow that the README shows, run as the README says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.driver import running, say, until

from conveyor.flows.shop.cdnow import order_body, packaged_purchases

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FLOW = {"PYTHONPATH": str(EXAMPLES), "CONVEYOR_EXTENSIONS": "own_flow:EXTENSION"}
STEP = "review.decide"
YES = '{"approved": true, "by": "sam"}'
NO = '{"approved": false, "by": "sam"}'


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a running server that has the flow."""
    directory = tmp_path_factory.mktemp("own-flow")
    with running(directory, **FLOW):
        yield directory


def place(data: Path, total: int) -> str:
    """Place an order of this flow."""
    order = order_body(packaged_purchases()[0]) | {"flow": "reviewed", "total": total}
    placed = say("place", "-", "--json", "--data", data, stdin=json.dumps(order))
    order_id: str = placed.json()["id"]
    return order_id


def status_of(data: Path, order_id: str) -> str:
    """Look at an order."""
    status: str = say("orders", "show", order_id, "--data", data, "--json").json()["status"]
    return status


def wait_for(data: Path, order_id: str, status: str) -> None:
    """Wait until an order has this status."""
    until(lambda: status_of(data, order_id) == status)


def test_a_large_order_waits_for_a_person(data: Path) -> None:
    order_id = place(data, 50_000)
    wait_for(data, order_id, "awaiting")
    story = say("explain", order_id, "--data", data).out

    answered = say("orders", "answer", order_id, STEP, YES, "--data", data)
    wait_for(data, order_id, "completed")

    assert "awaits a person's decision, 2 d at most" in story
    assert (answered.code, answered.out) == (0, "The answer is taken.\n")
    assert "review.decide is done (by sam)" in say("explain", order_id, "--data", data).out


def test_a_person_turns_a_large_order_down(data: Path) -> None:
    order_id = place(data, 50_000)
    wait_for(data, order_id, "awaiting")

    say("orders", "answer", order_id, STEP, NO, "--data", data)
    wait_for(data, order_id, "refused")
    again = say("orders", "answer", order_id, STEP, YES, "--data", data)

    assert again.code == 1
    assert "does not await" in again.err
    assert "USD 500.00 authorized, USD 0.00 captured, then voided" in (
        say("explain", order_id, "--data", data).out
    )


def test_a_small_order_waits_for_nobody(data: Path) -> None:
    order_id = place(data, 49_999)

    wait_for(data, order_id, "completed")


def test_an_answer_of_another_form_is_explained(data: Path) -> None:
    order_id = place(data, 50_000)
    wait_for(data, order_id, "awaiting")

    wrong = say("orders", "answer", order_id, STEP, '{"approved": true}', "--data", data)
    broken = say("orders", "answer", order_id, STEP, "yes", "--data", data)

    assert (wrong.code, broken.code) == (1, 1)
    assert "by: Field required" in wrong.err
    assert "not JSON" in broken.err


def test_the_readme_shows_this_very_file() -> None:
    file = (EXAMPLES / "own_flow.py").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert f"```python\n{file}```" in readme
    assert len(file.splitlines()) < 45
