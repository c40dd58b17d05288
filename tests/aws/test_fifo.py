"""A FIFO queue under functions: a fault in the middle of a group, and queues side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from tests.aws.conftest import Deploy
from tests.aws.deployment import Deployment, until
from tests.aws.event_source import EventSource
from tests.aws.runtime import Function
from tests.cli.driver import say

pytestmark = pytest.mark.timeout(300)  # each starts half a dozen processes, cold

DATE = "2013-01-01"
SEATS = {"UA1": 4, "UA2": 9}
TRAVEL = ("orders", "payments")
BREAKS = """
CREATE FUNCTION break_it() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'broken for a test'; END $$;
CREATE TRIGGER broken BEFORE INSERT ON bookings
    FOR EACH ROW WHEN (NEW.order_id = '{}') EXECUTE FUNCTION break_it();
"""
REPAIRS = "DROP TRIGGER broken ON bookings"
NUMBERS = "SELECT order_id, state FROM bookings WHERE resource = %s ORDER BY number"


def journey(flight: str) -> dict[str, Any]:
    return {
        "flow": "travel",
        "customer": {"id": "1"},
        "currency": "USD",
        "legs": [{"flight": flight, "date": DATE, "quantity": 1}],
        "total": 14_900,
        "payment": {"method": "card_ok"},
    }


def offer_seats(deployment: Deployment) -> None:
    rows = "".join(f"{flight},{DATE},{seats}\n" for flight, seats in SEATS.items())
    file = f"flight,date,seats\n{rows}"
    assert say("bookings", "import", "-", stdin=file, **deployment.environment).code == 0


def run(deployment: Deployment, statement: str, *values: object) -> list[Any]:
    with psycopg.connect(deployment.environment["CONVEYOR_DATABASE_URL"]) as connection:
        cursor = connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def broken(deployment: Deployment, order_id: str) -> Iterator[None]:
    """Let a step fail for one order, and for no other."""
    run(deployment, BREAKS.format(order_id))
    yield
    run(deployment, REPAIRS)


def order_ids_of(source: EventSource, message_ids: list[str]) -> set[str]:
    return {json.loads(source.bodies[message_id])["subject"] for message_id in message_ids}


def test_what_follows_a_fault_in_its_group_waits_and_no_other_does(deploy: Deploy) -> None:
    deployment = deploy(CONVEYOR_CALL_TIMEOUT_SECONDS="2", CONVEYOR_VISIBILITY_SECONDS="10")
    offer_seats(deployment)
    api = deployment.function("api")
    first, second, fails, fourth, late = (deployment.place(api, journey("UA1")) for _ in range(5))
    apart = deployment.place(api, journey("UA2"))
    with broken(deployment, fails):
        (source,) = deployment.feed(deployment.function("queue"), "bookings")
        until(lambda: bool(source.failed), meanwhile=lambda: source.handed.wait(1))
        until(lambda: bool(run(deployment, NUMBERS, f"flight/UA2/{DATE}")), meanwhile=source.wait)
        held = [order_id for order_id, _ in run(deployment, NUMBERS, f"flight/UA1/{DATE}")]
        assert held == [first, second]
        assert order_ids_of(source, source.failed) <= {fails, fourth, late}
        assert fails in order_ids_of(source, source.failed)
    deployment.feed(deployment.function("queue"), *TRAVEL)

    deployment.settle(completed=5, refused=1)

    booked = [(order_id, "booked") for order_id in (first, second, fails, fourth)]
    assert run(deployment, NUMBERS, f"flight/UA1/{DATE}") == [*booked, (late, "refused")]
    assert [order_id for order_id, _ in run(deployment, NUMBERS, f"flight/UA2/{DATE}")] == [apart]
    assert not source.errors


def test_one_invocation_may_bring_messages_of_two_queues(deploy: Deploy) -> None:
    deployment = deploy()
    offer_seats(deployment)
    api = deployment.function("api")
    deployment.place(api)
    flown = deployment.place(api, journey("UA1"))
    ordinary, strict = deployment.message("payments"), deployment.message("bookings")
    both: dict[str, Any] = {"Records": [*strict["Records"], *ordinary["Records"]]}
    queue: Function = deployment.function("queue")
    with broken(deployment, flown):
        answer = queue.invoke(both)
    (failed,) = answer["batchItemFailures"]
    assert failed == {"itemIdentifier": strict["Records"][0]["messageId"]}
    assert queue.invoke(both) == {"batchItemFailures": []}
    deployment.feed(queue, *TRAVEL, "bookings", "inventory", "shipping")
    deployment.settle(completed=2)
