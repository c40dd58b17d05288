"""What is broken on purpose: what each fault does to orders, and who may switch it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from tests.api.serving import Server, order_of, place, stock_up
from tests.cli.driver import until
from tests.servers.memory import directory_in_memory

from conveyor.adapters.embedded_queue import faults as queue_faults
from conveyor.adapters.simulated import payment_faults
from conveyor.operations.faults import faults_of

Visit = Callable[[], httpx.Client]
HERE = "/console/faults"
TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')
NAMES = (
    "payments-slow",
    "payments-declined",
    "payments-down",
    "payments-failing",
    "carrier-silent",
    "queues-late",
    "queues-doubled",
)
PAGES = ("", "/orders", "/dead-letters", "/owed", "/queues", "/faults")
OWN = "conveyor.adapters.simulated.opening:open_payments"
"""A provider that is named, which might be real."""
SHORT_SECONDS = 0.4
CROWD = 8
WAIT_SECONDS = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A system that can be broken, and parks an order soon."""
    quick: dict[str, Any] = {"max_receives": 3, "backoff_base_seconds": 0.1}
    with directory_in_memory() as home, Server(home, **quick) as running:
        stock_up(running.client())
        yield running


@pytest.fixture
def client(server: Server) -> httpx.Client:
    return server.client()


class Panel:
    """Somebody who has signed in by the link, before the switches."""

    def __init__(self, visitor: httpx.Client) -> None:
        self.visitor = visitor

    def sent(self, fault: str, on: str) -> dict[str, str]:
        """Give what the form of a switch sends."""
        token = TOKEN.findall(self.visitor.get(HERE).text)[-1]
        return {"token": token, "fault": fault, "on": on}

    def switch(self, fault: str, on: str = "yes") -> None:
        """Switch a fault."""
        answer = self.visitor.post(HERE, data=self.sent(fault, on))
        assert (answer.status_code, answer.headers["location"]) == (303, HERE)


@pytest.fixture
def panel(server: Server, visit: Visit) -> Iterator[Panel]:
    """The switches; at the end everything works again."""
    visitor = visit()
    assert visitor.get(server.links.new("")).status_code == 303
    it = Panel(visitor)
    yield it
    it.switch("", "")
    assert not any(fault.is_on for fault in faults_of(server.app))


def ended(client: httpx.Client, order: str, *statuses: str) -> Any:
    """Wait, patiently, until an order has one of these statuses; gives its story."""

    def look() -> Any:
        story = client.get(f"/v1/orders/{order}/explain").json()
        return story if story["order"]["status"] in statuses else None

    return until(look, WAIT_SECONDS)


def test_it_names_each_fault_and_what_to_watch_for(server: Server, panel: Panel) -> None:
    text = panel.visitor.get(HERE).text

    assert re.findall(r'<li id="([a-z-]+)">', text) == list(NAMES)
    assert text.count('aria-checked="false"') == len(NAMES)
    for fault in faults_of(server.app):
        assert fault.does in text
        assert fault.watch in text
    assert "failed 3 times" in text
    assert "Everything works again" not in text


def test_every_page_says_what_is_broken_until_it_is_not(panel: Panel) -> None:
    panel.switch("payments-declined")
    panel.switch("queues-late")
    for path in PAGES:
        assert "Cards are declined, Messages are late." in panel.visitor.get(f"/console{path}").text

    panel.switch("queues-late", on="")
    assert "Broken on purpose: Cards are declined." in panel.visitor.get("/console").text
    panel.switch("", on="")
    for path in PAGES:
        assert "Broken on purpose" not in panel.visitor.get(f"/console{path}").text


def test_declined_cards_refuse_orders(client: httpx.Client, panel: Panel) -> None:
    panel.switch("payments-declined")
    story = ended(client, place(client), "refused")
    assert story["order"]["reason"] == "card declined"

    panel.switch("payments-declined", on="")
    ended(client, place(client), "completed")


def test_failing_payments_park_orders_and_a_redrive_completes_them(
    client: httpx.Client, panel: Panel
) -> None:
    panel.switch("payments-failing")
    order = place(client)
    story = ended(client, order, "parked")
    assert "the provider could not authorize" in story["parked_because"]
    assert "3 times so far" in panel.visitor.get(HERE).text

    panel.switch("payments-failing", on="")
    client.post(f"/v1/dead-letters/{order}/redrive").raise_for_status()
    assert ended(client, order, "completed")["payment"]["captured"] == 2354


def test_while_payments_are_down_orders_wait(
    server: Server, client: httpx.Client, panel: Panel
) -> None:
    panel.switch("payments-down")
    orders = [place(client) for _ in range(CROWD)]
    provider = next(it for it in server.app.engine.providers if it.name == "payment provider")
    until(lambda: provider.breaker.is_paused and provider.breaker.waiting, WAIT_SECONDS)

    panel.switch("payments-down", on="")
    statuses = [ended(client, it, "completed", "parked")["order"]["status"] for it in orders]
    # Who was the probe for long may have used up its tries.
    assert statuses.count("completed") > CROWD / 2
    assert not provider.breaker.is_paused


def test_slow_payments_take_their_time(
    client: httpx.Client, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payment_faults, "SLOW_SECONDS", SHORT_SECONDS)
    panel.switch("payments-slow")
    order = place(client)
    ended(client, order, "completed")

    assert took(client, order) >= 2 * SHORT_SECONDS


def test_a_silent_carrier_tells_of_what_has_arrived_once_it_speaks(
    client: httpx.Client, panel: Panel
) -> None:
    panel.switch("carrier-silent")
    orders = [place(client) for _ in range(3)]
    for order in orders:
        ended(client, order, "awaiting")
    for order in orders:
        assert client.get(f"/v1/orders/{order}").json()["status"] == "awaiting"

    panel.switch("carrier-silent", on="")
    for order in orders:
        ended(client, order, "completed")


def test_late_messages_lose_no_order(
    client: httpx.Client, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_faults, "LATE_SECONDS", SHORT_SECONDS)
    panel.switch("queues-late")
    order = place(client)
    ended(client, order, "completed")
    assert took(client, order) >= 4 * SHORT_SECONDS


def test_doubled_messages_do_nothing_twice(client: httpx.Client, panel: Panel) -> None:
    panel.switch("queues-doubled")
    orders = [place(client) for _ in range(CROWD)]
    client.post("/v1/intake", json=order_of(reference="came-twice"))
    for order in orders:
        assert ended(client, order, "completed")["payment"]["captured"] == 2354
    until(lambda: all(has_dropped_a_copy(client, it) for it in orders), WAIT_SECONDS)
    report = client.get("/v1/audit").json()
    assert report["clean"] is True, report


def happened(client: httpx.Client, order: str) -> list[Any]:
    """Give what has happened to an order."""
    entries: list[Any] = client.get(f"/v1/orders/{order}/timeline").json()["entries"]
    return entries


def took(client: httpx.Client, order: str) -> float:
    """Give from when to when something happened to an order, in seconds."""
    first, *_, last = (datetime.fromisoformat(it["at"]) for it in happened(client, order))
    return (last - first).total_seconds()


def has_dropped_a_copy(client: httpx.Client, order: str) -> bool:
    """Whether its story tells of a copy."""
    return any(it["event"] == "duplicate_dropped" for it in happened(client, order))


def test_whoever_switches_stands_in_the_log(client: httpx.Client, panel: Panel) -> None:
    panel.switch("carrier-silent")
    panel.switch("carrier-silent")
    panel.switch("", on="")

    log = client.get("/v1/operators/log").json()["actions"][:2]
    assert [(it["action"], it["subject"]) for it in log] == [
        ("faults.off", "carrier-silent"),
        ("faults.on", "carrier-silent"),
    ]
    assert {(it["key"], it["place"]) for it in log} == {("local", "127.0.0.1")}


@pytest.mark.parametrize(
    ("changes", "headers", "status"),
    [
        ({"token": "0" * 64}, {}, 403),
        ({}, {"sec-fetch-site": "cross-site"}, 403),
        ({"fault": "the-weather"}, {}, 404),
        ({"fault": ""}, {}, 404),
    ],
    ids=["no-form-of-ours", "another-site", "unknown", "all-at-once"],
)
def test_nothing_is_switched_by_other_means(
    server: Server, panel: Panel, changes: dict[str, str], headers: dict[str, str], status: int
) -> None:
    sent = panel.sent("payments-down", "yes") | changes

    assert panel.visitor.post(HERE, data=sent, headers=headers).status_code == status
    assert not any(fault.is_on for fault in faults_of(server.app))


def test_nobody_gets_there_without_signing_in(server: Server, visit: Visit) -> None:
    for path in (HERE, f"{HERE}/live"):
        assert visit().get(path).headers["location"].startswith("/console/sign-in")
    assert visit().post(HERE, data={"fault": NAMES[0], "on": "yes"}).status_code == 303
    assert not any(fault.is_on for fault in faults_of(server.app))


def test_where_something_may_be_real_there_is_nothing_to_break(visit: Visit) -> None:
    with (
        directory_in_memory() as home,
        Server(home, ("orders",), payment_provider=OWN) as real,
    ):
        visitor = visit()
        visitor.base_url = httpx.URL(real.url)
        front = visitor.get(real.links.new(""), follow_redirects=True)
        assert front.status_code == 200
        assert HERE not in front.text
        assert visitor.get(HERE).status_code == 404
        assert visitor.get(f"{HERE}/live").status_code == 404
        sent = {"token": TOKEN.findall(front.text)[-1], "fault": NAMES[0], "on": "yes"}
        assert visitor.post(HERE, data=sent).status_code == 404
