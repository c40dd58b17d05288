"""What is asked of services that are paused, and of the overview, on any database."""

from __future__ import annotations

from typing import Any

import httpx
from tests.api.operators import log_of
from tests.api.serving import fields_of, order_of, place, problem_of, wait_for
from tests.servers.waiting import wait_until

WHY = {"reason": "the carrier moves house"}


def overview(client: httpx.Client) -> dict[str, Any]:
    """Look at everything, once it is known what has happened."""

    def look() -> dict[str, Any]:
        answer = client.get("/v1/overview")
        assert answer.status_code == 200, answer.text
        seen: dict[str, Any] = answer.json()
        return seen

    return wait_until(look, lambda it: it["placed_a_minute"] is not None)


def service(client: httpx.Client, name: str) -> dict[str, Any]:
    """Give how a service is."""
    found = client.get("/v1/services").json()["services"]
    [one] = [it for it in found if it["name"] == name]
    one_view: dict[str, Any] = one
    return one_view


def kinds_of(seen: dict[str, Any]) -> dict[str, str]:
    """Give what needs somebody, by what it is about."""
    return {it["subject"]: it["kind"] for it in seen["needs"]}


def queue(seen: dict[str, Any], name: str) -> dict[str, Any]:
    """Give a queue of the overview."""
    [one] = [it for it in seen["queues"] if it["name"] == name]
    one_view: dict[str, Any] = one
    return one_view


def _waiting_to_be_shipped(seen: dict[str, Any]) -> int:
    [shop] = [line for line in seen["flows"] if line["flow"] == "shop"]
    [station] = [it for it in shop["stations"] if it["step"] == "shipping.ship"]
    waiting: int = station["waiting"]
    return waiting


def check_pausing(client: httpx.Client) -> None:
    """Pause a service, see its orders wait in its queue, and let it go on."""
    paused = client.post("/v1/services/shipping/pause", json=WHY)
    assert paused.status_code == 200, paused.text
    assert paused.json()["changed"] is True
    again = client.post("/v1/services/shipping/pause", json={"reason": "another"}).json()
    assert (again["changed"], again["service"]["paused"]["why"]) == (False, WHY["reason"])

    order_id = place(client, order_of())
    # All of it rides in one process, up to the service that is paused: there a message is sent.
    # Queues are counted anew each time, stations once for all who look within a second or more.
    seen = wait_until(
        lambda: overview(client),
        lambda it: queue(it, "shipping")["depth"]["visible"] == 1 == _waiting_to_be_shipped(it),
    )
    assert kinds_of(seen)["shipping"] == "service_paused"
    assert seen["ok"] is False
    assert queue(seen, "shipping")["orders"] == 1
    story = client.get(f"/v1/orders/{order_id}/explain").json()
    said = service(client, "shipping")["paused"]
    expected = f"service shipping, which is paused since {said['since']}: "
    assert story["waits_for"]["what"] == expected + WHY["reason"], (story["waits_for"], expected)
    assert "`conveyor services resume shipping`" in story["sentences"][-1]

    resumed = client.post("/v1/services/shipping/resume", params={"why": "it has moved"}).json()
    assert (resumed["changed"], resumed["service"]["paused"]) == (True, None)
    assert client.post("/v1/services/shipping/resume").json()["changed"] is False
    wait_for(client, order_id, "completed")
    events = {it["event"] for it in client.get(f"/v1/orders/{order_id}/timeline").json()["entries"]}
    assert not events & {"fault", "resent", "parked", "duplicate_dropped"}
    assert "shipping" not in kinds_of(overview(client))
    log = [(it["action"], it["subject"], it["why"]) for it in log_of(client, limit=2)]
    assert log == [
        ("services.resume", "shipping", "it has moved"),
        ("services.pause", "shipping", WHY["reason"]),
    ]


def check_who_may_pause(client: httpx.Client, merchants: httpx.Client) -> None:
    """See who is turned away: `merchants` has the scope operate alone."""
    assert fields_of(client.post("/v1/services/shipping/pause", json={})) == {"reason"}
    assert fields_of(client.post("/v1/services/shipping/pause", json={"reason": " "})) == {"reason"}
    unknown = problem_of(client.post("/v1/services/shiping/pause", json=WHY), 404)
    assert "There are: orders, payments" in unknown["detail"]
    problem_of(client.post("/v1/services/shiping/resume"), 404)
    for way in ("pause", "resume"):
        refused = merchants.post(f"/v1/services/shipping/{way}", json=WHY)
        assert "`operate` and `audit`" in problem_of(refused, 403)["detail"]
    seen = overview(merchants)
    assert (seen["queues"], seen["providers"], seen["workers"]) == (None, None, None)
    assert service(merchants, "payments")["workers"] is None
    _check_who_paused_is_not_told(client, merchants)


def _check_who_paused_is_not_told(client: httpx.Client, merchants: httpx.Client) -> None:
    """See that a merchant's key learns that a service is paused, and why; the owner, by whom."""
    client.post("/v1/services/shipping/pause", json=WHY).raise_for_status()
    who = service(client, "shipping")["paused"]["by"]
    told = (service(merchants, "shipping"), overview(merchants))
    assert WHY["reason"] in str(told[0])
    assert WHY["reason"] in str(told[1]["needs"])
    assert who not in str(told)
    assert who in str(overview(client)["needs"])
    client.post("/v1/services/shipping/resume").raise_for_status()
