"""Plans, subscriptions and renewals over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.api.serving import Server, fields_of, problem_of
from tests.servers.waiting import wait_until

PLAN = {"price": 999, "currency": "USD"}


@pytest.fixture
def merchant(server: Server, request: pytest.FixtureRequest) -> httpx.Client:
    """A merchant of the test's own, with one plan, whose renewals are paused."""
    client = server.client_of(request.node.name[:60])
    assert client.put("/v1/plans/monthly", json=PLAN).status_code == 200
    assert client.post("/v1/renewals/pause").json()["paused"]
    return client


def wish(name: str, card: str = "card_ok", **more: str) -> dict[str, str]:
    return {"id": name, "customer": f"c-{name}", "plan": "monthly", "card": card, **more}


def begin(client: httpx.Client, name: str, card: str = "card_ok", **more: str) -> Any:
    answer = client.post("/v1/subscriptions", json=wish(name, card, **more))
    assert answer.status_code == 201, answer.text
    return answer.json()


def wait_for_status(client: httpx.Client, name: str, *statuses: str) -> Any:
    return wait_until(
        lambda: client.get(f"/v1/subscriptions/{name}").json(),
        lambda found: found["status"] in statuses and found["period"] + bool(found["reason"]) > 0,
    )


def test_a_plan_is_made_changed_and_listed(merchant: httpx.Client) -> None:
    changed = merchant.put("/v1/plans/monthly", json={**PLAN, "price": 1_099, "retry_days": [2, 4]})
    assert changed.json() == {
        "id": "monthly",
        "price": 1_099,
        "currency": "USD",
        "months": 1,
        "trial_days": 0,
        "retry_days": [2, 4],
        "grace_days": 8,
        "afterwards": "cancel",
    }
    assert merchant.get("/v1/plans").json() == {"plans": [changed.json()]}
    longer = merchant.put("/v1/plans/monthly", json={**PLAN, "months": 12})
    assert "keeps its months" in problem_of(longer, 409)["detail"]


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        ({**PLAN, "price": -1}, "price"),
        ({**PLAN, "currency": "dollars"}, "currency"),
        ({**PLAN, "months": 0}, "months"),
        ({**PLAN, "retry_days": [3, 1]}, "retry_days"),
        ({**PLAN, "colour": "red"}, "colour"),
    ],
)
def test_a_plan_that_is_wrong_names_the_field(
    merchant: httpx.Client, plan: dict[str, Any], field: str
) -> None:
    assert fields_of(merchant.put("/v1/plans/wrong", json=plan)) == {field}


def test_a_subscription_is_renewed_when_it_is_due(merchant: httpx.Client) -> None:
    begun = begin(merchant, "s-1")
    assert (begun["status"], begun["period"], begun["access"]) == ("active", 0, False)
    due = merchant.get("/v1/renewals/due").json()
    assert (due["due"], due["amounts"]) == (1, {"USD": 999})
    assert [one["id"] for one in due["first"]] == ["s-1"]
    assert merchant.post("/v1/renewals/run", json={}).json()["paused"]
    assert merchant.post("/v1/renewals/resume", json={"per_second": 50}).json() == {
        "paused": False,
        "per_cent": 100.0,
        "per_second": 50.0,
    }
    dry = merchant.post("/v1/renewals/run", json={"dry": True}).json()
    assert (dry["started"], dry["due"]) == (0, 1)
    run = merchant.post("/v1/renewals/run", json={"limit": 10}).json()
    assert (run["started"], run["more"]) == (1, False)
    renewed = wait_for_status(merchant, "s-1", "active")
    assert renewed["access"]
    status = merchant.get("/v1/renewals").json()
    assert status["renewals"] == {"extended": 1}
    assert status["subscriptions"] == {"active": 1}


def test_a_pause_keeps_the_pace_that_was_decided(merchant: httpx.Client) -> None:
    merchant.post("/v1/renewals/resume", json={"per_cent": 20, "per_second": 5})
    paused = {"paused": True, "per_cent": 0.0, "per_second": 5.0}
    assert merchant.post("/v1/renewals/pause").json() == paused
    shown = merchant.get("/v1/renewals").json()
    assert {name: shown[name] for name in paused} == paused


def test_a_stolen_card_ends_it_and_a_declined_one_is_replaced(merchant: httpx.Client) -> None:
    begin(merchant, "stolen", "card_stolen")
    begin(merchant, "poor", "card_insufficient_funds")
    merchant.post("/v1/renewals/resume", json={})
    merchant.post("/v1/renewals/run", json={})
    assert wait_for_status(merchant, "stolen", "cancelled")["reason"] == "card reported stolen"
    assert wait_for_status(merchant, "poor", "past_due")["reason"] == "insufficient funds"
    assert merchant.get("/v1/subscriptions", params={"status": "past_due"}).json()["next"] is None
    merchant.put("/v1/subscriptions/poor/card", json={"card": "card_ok"})
    assert wait_for_status(merchant, "poor", "active")["period"] == 1
    late = merchant.put("/v1/subscriptions/stolen/card", json={"card": "card_ok"})
    assert problem_of(late, 409)["code"] == "not_possible"


def test_it_is_cancelled_with_its_period_and_its_plan_changes_with_the_next(
    merchant: httpx.Client,
) -> None:
    merchant.put("/v1/plans/yearly", json={**PLAN, "price": 9_990, "months": 12})
    begin(merchant, "s-1")
    changed = merchant.put("/v1/subscriptions/s-1/plan", json={"plan": "yearly"}).json()
    assert (changed["plan"], changed["next_plan"]) == ("monthly", "yearly")
    cancelled = merchant.post("/v1/subscriptions/s-1/cancel").json()
    assert (cancelled["status"], cancelled["cancel_at_end"]) == ("active", True)
    unknown = merchant.put("/v1/subscriptions/s-1/plan", json={"plan": "weekly"})
    assert problem_of(unknown, 409)["detail"] == "There is no such plan."


def test_an_import_is_taken_whole_or_not_at_all(merchant: httpx.Client) -> None:
    rows = [wish(f"s-{number}", zone="Europe/Berlin") for number in range(50)]
    wrong = [*rows, wish("late", starts="2020-01-31", paid_until="2020-02-27")]
    refused = merchant.post("/v1/subscriptions/import", json={"subscriptions": wrong})
    assert fields_of(refused) == {"subscriptions.50.paid_until"}
    assert merchant.get("/v1/subscriptions").json()["subscriptions"] == []
    for added in (50, 0):
        taken = merchant.post("/v1/subscriptions/import", json={"subscriptions": rows}).json()
        assert taken == {"added": added, "there_before": 50 - added}
    page = merchant.get("/v1/subscriptions", params={"limit": 20}).json()
    rest = merchant.get("/v1/subscriptions", params={"cursor": page["next"]}).json()
    assert len(page["subscriptions"]) + len(rest["subscriptions"]) == 50


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"plan": "no-such"}, "plan"),
        ({"zone": "Nowhere/Land"}, "zone"),
        ({"starts": "next week"}, "starts"),
        ({"id": "a b"}, "id"),
    ],
)
def test_a_subscription_that_is_wrong_names_the_field(
    merchant: httpx.Client, changes: dict[str, str], field: str
) -> None:
    answer = merchant.post("/v1/subscriptions", json={**wish("s"), **changes})
    assert fields_of(answer) == {field}


def test_an_id_is_taken_once(merchant: httpx.Client) -> None:
    begin(merchant, "s-1")
    again = merchant.post("/v1/subscriptions", json=wish("s-1", "card_flaky"))
    assert problem_of(again, 409)["code"] == "id_taken"
    assert merchant.get("/v1/subscriptions/s-1").json()["card"] == "card_ok"


def test_another_merchant_sees_nothing_of_it(server: Server, merchant: httpx.Client) -> None:
    begin(merchant, "s-1")
    other = server.client_of("somebody else")
    problem_of(other.get("/v1/subscriptions/s-1"), 404)
    problem_of(other.put("/v1/subscriptions/s-1/card", json={"card": "card_ok"}), 404)
    problem_of(other.post("/v1/subscriptions/s-1/cancel"), 404)
    assert other.get("/v1/renewals/due").json()["due"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/plans/monthly"),
        ("POST", "/v1/renewals/run"),
        ("POST", "/v1/renewals/pause"),
        ("POST", "/v1/renewals/resume"),
    ],
)
def test_only_an_operator_decides_about_renewals(server: Server, method: str, path: str) -> None:
    client = server.client_of("default", ["place", "read"])
    problem_of(client.request(method, path, json={}), 403)
