"""The dead-letter desk: a night's parked orders are looked at, and cleared with few clicks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.api.pausing import kinds_of, overview, queue
from tests.api.serving import Server, place, wait_for
from tests.console.night import owner, parcel, put_right, server
from tests.console.shop import Seat
from tests.console.test_accessibility import PHONE, violations
from tests.servers.waiting import wait_until

from conveyor.core.dead_letter import CAUSE
from conveyor.core.message import Token, encode
from conveyor.core.queue import Outgoing

__all__ = ["owner", "server"]

DESK = "/console/dead-letters"
Visit = Callable[[], httpx.Client]
CAUSES = ("bug", "down", "bad")
EACH = 20
MORE_THAN_A_PAGE = 250
TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')
PILE = re.compile(r"/console/dead-letters/([0-9a-f]{16})\"")
FIELD = re.compile(r'<input type="hidden" name="([a-z]+)" value="([^"]*)">')


@pytest.fixture
def desk(server: Server, owner: httpx.Client, visit: Visit) -> httpx.Client:
    """Somebody of that merchant who has signed in."""
    visitor = visit()
    visitor.base_url = httpx.URL(server.url)
    key = owner.post("/v1/keys", json={"scopes": ["operate"]}).json()["key"]
    assert visitor.post("/console/sign-in", data={"key": key}).status_code == 303
    return visitor


@pytest.fixture
def seat(server: Server, owner: httpx.Client, browser: Browser) -> Iterator[Seat]:
    """The same in a browser."""
    key = owner.post("/v1/keys", json={"scopes": ["operate"]}).json()["key"]
    taken = Seat(browser, SimpleNamespace(url=server.url, key=key))  # type: ignore[arg-type]
    taken.sign_in()
    yield taken
    taken.context.close()
    assert taken.complaints == []


def park(client: httpx.Client, cause: str, many: int, **changes: Any) -> list[str]:
    """Place orders that fail for this cause, and wait until all are parked."""
    placed = [place(client, parcel(cause, number, **changes)) for number in range(1, many + 1)]
    for order in placed:
        wait_for(client, order, "parked")
    return placed


def only_pile(desk: httpx.Client) -> str:
    """Give the key of the one pile that there is."""
    keys: set[str] = set(PILE.findall(desk.get("/console/dead-letters").text))
    assert len(keys) == 1
    return keys.pop()


def fields(text: str) -> dict[str, str]:
    """Give what the form of a page sends."""
    found = {name: value.replace("&#34;", '"') for name, value in FIELD.findall(text)}
    return {**found, "token": TOKEN.findall(text)[-1]}


def test_a_strangers_night(server: Server, owner: httpx.Client, seat: Seat) -> None:
    parked = {cause: park(owner, cause, EACH) for cause in CAUSES}
    page, clicks = seat.page, 0

    def click(role: Any, name: str) -> None:
        nonlocal clicks
        clicks += 1
        page.get_by_role(role, name=name).first.click()

    with put_right("bug", "down"):
        click("link", "Dead letters")
        expect(page.get_by_role("heading", name=f"{EACH} orders")).to_have_count(len(CAUSES))
        for cause, text in (("bug", "weight of line #"), ("down", "scales # of # do not")):
            page.get_by_role("article").filter(has_text=text).get_by_role(
                "button", name="Redrive"
            ).click()
            expect(page.get_by_text("takes weighing.weigh again")).to_be_visible()
            clear(page, f"Redrive {EACH} orders", f"{EACH} of {EACH} orders redriven")
            clicks += 2
            click("link", "Dead letters")
            for order in parked[cause]:
                wait_for(owner, order, "completed")
        page.get_by_role("article").get_by_role("button", name="Give up and undo").click()
        expect(page.get_by_text("runs payments.void")).to_be_visible()
        page.get_by_label("Reason").fill("nothing weighs less than nothing")
        clear(page, f"Undo {EACH} orders", f"{EACH} of {EACH} orders being undone")
        clicks += 2
    assert clicks < 10

    for order in parked["bad"]:
        wait_for(owner, order, "cancelled")
    assert owner.get("/v1/dead-letters").json()["orders"] == []
    for order in (*parked["bug"], *parked["down"]):
        assert owner.get(f"/v1/orders/{order}/explain").json()["payment"]["captured"] == 2354
    report = server.client().get("/v1/audit").json()
    assert report["clean"] is True, report


def clear(page: Page, button: str, done: str) -> None:
    """Begin, and look on until it is done."""
    page.get_by_label("Orders a second").fill("200")
    page.get_by_role("button", name=button).click()
    expect(page.get_by_text(re.compile(rf"Done:\s+{done}"))).to_be_visible()
    expect(page.get_by_role("switch", name="Stop")).to_be_hidden()


def test_it_is_stopped_midway_and_goes_on(owner: httpx.Client, seat: Seat) -> None:
    parked = park(owner, "bug", 12)
    page = seat.page
    page.goto("/console/dead-letters")
    with put_right("bug"):
        page.get_by_role("button", name="Redrive").click()
        page.get_by_label("Orders a second").fill("2")
        page.get_by_role("button", name="Redrive 12 orders").click()
        expect(page.get_by_text(re.compile(r"[24] of 12 orders redriven"))).to_be_visible()
        page.get_by_role("switch", name="Stop").check()
        expect(page.get_by_text(re.compile(r"Stopped:"))).to_be_visible()
        said = page.get_by_text(re.compile(r"are as they were"))
        found = re.search(r"(\d+) of 12 orders redriven; (\d+) are", said.inner_text())
        assert found
        done, left = int(found[1]), int(found[2])
        assert done + left == 12
        assert len(owner.get("/v1/dead-letters").json()["orders"]) == left > 0

        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text(re.compile(r"Done:\s+12 of 12"))).to_be_visible()
    for order in parked:
        wait_for(owner, order, "completed")


def test_those_selected_are_redriven_and_no_others(owner: httpx.Client, seat: Seat) -> None:
    first, second, third = park(owner, "down", 3)
    page = seat.page
    page.goto("/console/dead-letters")
    page.get_by_role("link", name="3 orders").click()
    expect(page.get_by_text("still applicable")).to_have_count(3)
    for order in (first, third):
        page.get_by_role("checkbox", name=f"Select {order}").check()
    page.get_by_role("button", name="Try dry: those selected").click()
    with put_right("down"):
        page.get_by_role("button", name="Redrive 2 orders").click()
        expect(page.get_by_text(re.compile(r"Done:\s+2 of 2"))).to_be_visible()
        for order in (first, third):
            wait_for(owner, order, "completed")
    assert owner.get(f"/v1/orders/{second}").json()["status"] == "parked"


def test_a_pile_says_what_its_orders_share(owner: httpx.Client, desk: httpx.Client) -> None:
    park(owner, "down", 2, customer={"id": "the-same"})
    page = desk.get(f"/console/dead-letters/{only_pile(desk)}").text
    assert "ScalesDownError: scales # of # do not answer" in page
    assert "<dt>customer</dt><dd>the-same</dd>" in page
    assert "<dt>SKU</dt><dd>CD</dd>" in page


def test_what_was_placed_again_is_left_to_somebody(owner: httpx.Client, desk: httpx.Client) -> None:
    order = park(owner, "bug", 1)[0]
    with put_right("bug"):
        again = place(owner, parcel("bug", 1))
        wait_for(owner, again, "completed")
        pile = f"/console/dead-letters/{only_pile(desk)}"
        assert f"order {again} of the same customer" in desk.get(pile).text
        plan = desk.get(f"{pile}/plan?action=redrive").text
    assert "overtaken: order" in plan
    assert "Redrive 1" not in plan
    assert "Undo 1 order" in desk.get(f"{pile}/plan?action=compensate").text
    assert owner.get(f"/v1/orders/{order}").json()["status"] == "parked"


def test_what_fails_again_is_not_taken_up_again(owner: httpx.Client, desk: httpx.Client) -> None:
    park(owner, "bug", 3)
    pile = f"/console/dead-letters/{only_pile(desk)}"
    sent = fields(desk.get(f"{pile}/plan?action=redrive").text) | {"rate": "1"}
    seen: list[str] = []
    for _ in range(10):
        text = desk.post(f"{pile}/clear", data=sent, headers={"hx-request": "true"}).text
        sent = fields(text)
        seen.append(sent["done"])
        wait_until(
            lambda: owner.get("/v1/dead-letters").json()["orders"], lambda left: len(left) == 3
        )
        if "Done:" in text:
            break
    assert seen[-1] == "3"


def test_what_is_left_to_undo_is_not_discarded(owner: httpx.Client, desk: httpx.Client) -> None:
    park(owner, "bad", 1)
    pile = f"/console/dead-letters/{only_pile(desk)}"
    plan = desk.get(f"{pile}/plan?action=discard").text
    assert "something is left to undo" in plan
    undo = fields(desk.get(f"{pile}/plan?action=compensate").text)
    without = desk.post(f"{pile}/clear", data=undo)
    assert without.status_code == 422
    assert "A reason is needed" in without.text


def test_a_pile_is_its_merchants(owner: httpx.Client, desk: httpx.Client, server: Server) -> None:
    theirs = server.client_of("neighbour")
    order = park(theirs, "bug", 1)[0]
    mine = park(owner, "bug", 1)[0]
    pile = f"/console/dead-letters/{only_pile(desk)}"
    text = desk.get(pile).text
    assert mine in text
    assert order not in text
    sent = fields(desk.get(f"{pile}/plan?action=redrive").text) | {"orders": order}
    with put_right("bug"):
        answer = desk.post(f"{pile}/clear", data=sent, headers={"hx-request": "true"})
    assert fields(answer.text)["done"] == "0"
    assert theirs.get(f"/v1/orders/{order}").json()["status"] == "parked"


def test_a_pile_is_cleared_from_our_own_pages_alone(
    owner: httpx.Client, desk: httpx.Client
) -> None:
    order = park(owner, "bug", 1)[0]
    pile = f"/console/dead-letters/{only_pile(desk)}"
    sent = fields(desk.get(f"{pile}/plan?action=redrive").text)
    script = {"hx-request": "true"}
    for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}):
        refused = desk.post(f"{pile}/clear", data=sent, headers=script | headers)
        assert refused.status_code == 403
    for wrong, status in (
        ({"token": ""}, 403),
        ({"action": "explode"}, 422),
        ({"after": "x"}, 422),
        ({"until": "-1"}, 422),
        ({"left": "{"}, 422),
        ({"orders": "x"}, 404),
    ):
        answer = desk.post(f"{pile}/clear", data=sent | wrong, headers=script)
        assert answer.status_code == status, wrong
    assert owner.get(f"/v1/orders/{order}").json()["status"] == "parked"


def test_more_than_a_page_of_one_cause_are_judged_at_once(
    owner: httpx.Client, desk: httpx.Client
) -> None:
    for number in range(MORE_THAN_A_PAGE):
        place(owner, parcel("bug", number))
    wait_until(
        lambda: desk.get("/console/dead-letters").text,
        lambda text: f">{MORE_THAN_A_PAGE} orders<" in text,
    )
    pile = f"/console/dead-letters/{only_pile(desk)}"
    plan = desk.get(f"{pile}/plan?action=redrive")
    assert f"Redrive {MORE_THAN_A_PAGE} orders" in plan.text


def test_messages_are_judged_and_cleared(server: Server, visit: Visit) -> None:
    owner, visitor = server.client(), visit()
    visitor.base_url = httpx.URL(server.url)
    assert visitor.post("/console/sign-in", data={"key": server.local_key}).status_code == 303
    order = place(owner, parcel("fine", 1))
    moved = wait_for(owner, order, "completed")
    token = Token(order, "weighing.weigh", 2)
    gone = Token("01KDVXQG0053EJ2M8Q4N7T6WAB", "weighing.weigh", 2)
    bodies = ["garbage 1", "garbage 22", encode(token, 0), encode(gone, 0)]
    dead = server.app.parts.queues.queue("weighing-dead")
    server.run(dead.send([Outgoing(body, attributes=((CAUSE, "strange"),)) for body in bodies]))
    assert moved["status"] == "completed"

    key = re.search(r'/console/dead-letters/(m-[0-9a-f]{16})"', visitor.get(DESK).text)
    assert key
    pile = f"{DESK}/{key[1]}"
    text = visitor.get(pile).text
    assert text.count("it can never be handled: not JSON") == 2
    assert f"order {order} is completed" in text
    assert f"there is no order {gone.order_id} here" in text
    assert "Redrive 1" not in visitor.get(f"{pile}/plan?action=redrive").text
    sent = fields(visitor.get(f"{pile}/plan?action=discard").text)
    assert visitor.post(f"{pile}/clear", data=sent).status_code == 422
    sent["reason"] = "nothing of ours"
    done = visitor.post(f"{pile}/clear", data=sent, headers={"hx-request": "true"}).text
    assert re.search(r"Done:\s+4 of 4 messages discarded", done)
    assert owner.get("/v1/dead-letters").json()["messages"] == []


def test_a_merchant_sees_no_messages(desk: httpx.Client) -> None:
    pile = f"{DESK}/m-0123456789abcdef"
    for path in (pile, f"{pile}/plan?action=redrive"):
        assert desk.get(path).status_code == 404
    token = TOKEN.findall(desk.get(DESK).text)[-1]
    sent = {"token": token, "action": "discard", "until": "1", "reason": "none"}
    assert desk.post(f"{pile}/clear", data=sent).status_code == 404


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(scheme: Any, owner: httpx.Client, seat: Seat) -> None:
    park(owner, "bug", 2)
    page = seat.page
    page.emulate_media(color_scheme=scheme)
    page.goto("/console/dead-letters")
    keys = set(PILE.findall(page.content()))
    pile = f"/console/dead-letters/{keys.pop()}"
    found = {}
    for path in ("/console/dead-letters", pile, f"{pile}/plan?action=compensate"):
        page.set_viewport_size({"width": 1200, "height": 800})
        page.goto(path)
        found[path] = violations(page)
        page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            found[path].append("too wide")
    page.get_by_label("Reason").fill("a test")
    page.get_by_role("button", name="Undo 2 orders").click()
    expect(page.get_by_text(re.compile(r"Done:\s+2 of 2"))).to_be_visible()
    found["done"] = violations(page)
    assert {path: said for path, said in found.items() if said} == {}


def test_drained_messages_lie_on_the_same_desk(server: Server, visit: Visit) -> None:
    owner, visitor = server.client(), visit()
    visitor.base_url = httpx.URL(server.url)
    assert visitor.post("/console/sign-in", data={"key": server.local_key}).status_code == 303
    dead = server.app.parts.queues.queue("intake-dead")
    server.run(dead.send([Outgoing(body) for body in ("<order/>", "{}")]))
    before = owner.get("/v1/dead-letters").json()["messages"]
    drained = owner.post("/v1/dead-letters/drain").json()["queues"]
    assert [(it["queue"], it["count"]) for it in drained if it["count"]] == [("intake", 2)]
    assert server.run(dead.depth()).total == 0
    listed = owner.get("/v1/dead-letters").json()
    assert sorted(it["body"] for it in listed["messages"]) == ["<order/>", "{}"]
    assert sorted(it["id"] for it in listed["messages"]) == sorted(it["id"] for it in before)
    assert listed["not_shown"] == {}
    assert 'conveyor_dead_messages{queue="intake"} 2.0' in owner.get("/metrics").text
    assert ">2</a>" in visitor.get("/console/queues").text
    seen = wait_until(lambda: overview(owner), lambda it: queue(it, "intake")["dead"] == 2)
    assert kinds_of(seen)["intake-dead"] == "dead_letters"

    piles = re.findall(r'/console/dead-letters/(m-[0-9a-f]{16})"', visitor.get(DESK).text)
    [unreadable] = [
        it for it in set(piles) if "unreadable: not JSON" in visitor.get(f"{DESK}/{it}").text
    ]
    assert "it can never be handled" in visitor.get(f"{DESK}/{unreadable}").text
    assert "Redrive 1" not in visitor.get(f"{DESK}/{unreadable}/plan?action=redrive").text
    sent = fields(visitor.get(f"{DESK}/{unreadable}/plan?action=discard").text)
    sent["reason"] = "nothing of ours"
    done = visitor.post(f"{DESK}/{unreadable}/clear", data=sent, headers={"hx-request": "true"})
    assert re.search(r"Done:\s+1 of 1 messages? discarded", done.text)
    [letter] = owner.get("/v1/dead-letters").json()["messages"]
    assert letter["body"] == "{}"
    refused = server.client_of("neighbour").post("/v1/dead-letters/drain")
    assert refused.status_code == 403
