"""Queues and providers: what waits, behind whom, and for whom outside."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from tests.api.serving import Server, order_of, paid_by, place, wait_for
from tests.cli.driver import until
from tests.console.night import owner, parcel, put_right, server
from tests.servers.waiting import wait_until

__all__ = ["owner", "server"]

Visit = Callable[[], httpx.Client]
HERE = "/console/queues"
TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')


@pytest.fixture
def look(server: Server, visit: Visit) -> Callable[..., str]:
    """Gives the page as a key of these scopes sees it."""

    def see(client: httpx.Client, *scopes: str) -> str:
        return enter(server, visit(), client, *scopes).get(HERE).text

    return see


def enter(
    server: Server, visitor: httpx.Client, client: httpx.Client, *scopes: str
) -> httpx.Client:
    """Sign a visitor in, with a new key that the client makes."""
    visitor.base_url = httpx.URL(server.url)
    key = client.post("/v1/keys", json={"scopes": ["operate", *scopes]}).json()["key"]
    assert visitor.post("/console/sign-in", data={"key": key}).status_code == 303
    return visitor


def decide(visitor: httpx.Client, service: str, what: str, reason: str) -> httpx.Response:
    """Decide about a service as its page's form does."""
    path = f"{HERE}/{service}/{what}"
    token = TOKEN.findall(visitor.get(path).text)[-1]
    return visitor.post(path, data={"token": token, "reason": reason})


def lined_up(reference: str) -> dict[str, object]:
    """Give an order that has its turn."""
    return order_of(flow="line", reference=reference, shipping=None)


def test_it_names_who_blocks_a_group(owner: httpx.Client, look: Callable[..., str]) -> None:
    first = place(owner, lined_up("stuck-1"))
    wait_for(owner, first, "parked")
    behind = [place(owner, lined_up(f"fine-{number}")) for number in range(3)]
    text = wait_until(lambda: look(owner), lambda it: first in it)
    row = re.search(rf"<tr><td>[^\n]*{first}.*?</tr>", text, re.DOTALL)
    assert row
    assert '<td class="number">3</td>' in row[0]
    assert "lining.up" in row[0]
    with put_right("stuck"):
        owner.post(f"/v1/dead-letters/{first}/redrive").raise_for_status()
        for order in (first, *behind):
            wait_for(owner, order, "completed")
    assert "No parked order holds others back" in look(owner)


def test_it_counts_what_is_in_the_queues_for_who_runs_them(
    owner: httpx.Client, look: Callable[..., str]
) -> None:
    wait_for(owner, place(owner, parcel("fine", 1)), "completed")
    text = look(owner, "audit")
    for name in ("orders", "payments", "weighing", "lining"):
        assert f'<th scope="row">{name}</th>' in text
    merchants = look(owner)
    assert "In flight</th>" not in merchants
    assert "Providers</h2>" not in merchants


def test_it_says_who_is_paused(start: Callable[..., Server], visit: Visit) -> None:
    running = start("payments")  # whose provider nobody else needs
    client = running.client()
    for _ in range(8):
        place(client, paid_by("card_down"))
    visitor = enter(running, visit(), client, "audit")
    text = wait_until(lambda: visitor.get(HERE).text, lambda it: "paused, and probed" in it)
    assert re.search(r'<th scope="row">payments[^<]*</th>', text)


def test_a_service_is_paused_and_goes_on(
    server: Server, owner: httpx.Client, visit: Visit, look: Callable[..., str]
) -> None:
    visitor = enter(server, visit(), owner, "audit")
    without = decide(visitor, "weighing", "pause", "")
    assert (without.status_code, "reason: is needed" in without.text) == (422, True)
    assert decide(visitor, "weighing", "pause", "the <scales> are moved").status_code == 303
    order = place(owner, parcel("fine", 7))
    waits = wait_until(
        lambda: owner.get(f"/v1/orders/{order}/explain").json()["waits_for"],
        lambda it: "weighing" in it["what"],
    )
    assert "paused since" in waits["what"]
    text = visitor.get(HERE).text
    assert re.search(r"weighing is paused since [^<]*: the &lt;scales&gt; are moved", text)
    assert 'aria-label="Resume weighing"' in text
    merchants = look(owner)
    said = r"weighing is paused since [^ ]*: the &lt;scales&gt; are moved"
    assert re.search(said, merchants)
    overview = visitor.get("/console").text
    assert re.search(said, overview)
    assert '<b class="parked">paused</b>' in overview
    assert "Resume" not in merchants
    assert "paused since" in visitor.get(f"/console/orders/{order}").text

    assert decide(visitor, "weighing", "resume", "").status_code == 303
    wait_for(owner, order, "completed")
    assert "weighing is paused" not in visitor.get(HERE).text
    log = owner.get("/v1/operators/log", params={"action": "services.pause"}).json()["actions"]
    assert [(it["subject"], it["why"]) for it in log] == [("weighing", "the <scales> are moved")]


def test_a_merchant_of_many_pauses_nothing(
    server: Server, owner: httpx.Client, visit: Visit
) -> None:
    visitor = enter(server, visit(), owner)
    assert visitor.get(f"{HERE}/weighing/pause").status_code == 403
    token = TOKEN.findall(visitor.get(HERE).text)[-1]
    sent = {"token": token, "reason": "why not"}
    assert visitor.post(f"{HERE}/weighing/pause", data=sent).status_code == 403
    of_all = enter(server, visit(), owner, "audit")
    assert of_all.get(f"{HERE}/nothing/pause").status_code == 404
    assert of_all.get(f"{HERE}/weighing/end").status_code == 404
    assert of_all.post(f"{HERE}/weighing/pause", data={"reason": "x"}).status_code == 403


def test_what_processes_did_in_the_last_minute_is_told(
    server: Server, owner: httpx.Client, visit: Visit
) -> None:
    visitor = enter(server, visit(), owner, "audit")
    wait_for(owner, place(owner, parcel("fine", 9)), "completed")

    def figures(text: str) -> list[str]:
        row = re.search(r'<th scope="row">payment provider</th>.*?</tr>', text, re.DOTALL)
        return re.findall(r'<td class="number[^"]*">([^<]*)</td>', row[0]) if row else []

    def told() -> list[str]:
        found = figures(visitor.get(HERE).text)
        return found if found and found[1] != "0" else []

    # A process tells it with its next sign of life, of which there is one in ten seconds.
    seen = until(told)
    assert int(seen[1].replace(",", "")) >= 1
    assert re.fullmatch(r"[0-9.]+ m?s", seen[3])
    text = visitor.get(HERE).text
    assert "by 1 of 1 processes" in text
    assert "Requests to SQS" not in text
