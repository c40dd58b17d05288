"""Who may look at the console, who may change something with it, and who may not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from tests.api.serving import Server, order_of, paid_by, place, wait_for
from tests.servers.memory import directory_in_memory
from tests.servers.waiting import wait_until

from conveyor.access import sessions
from conveyor.entrypoints.console.links import LINK_MS
from conveyor.entrypoints.console.site import PAGES as ROUTES
from conveyor.entrypoints.console.viewer import COOKIE
from conveyor.entrypoints.http.bodies import MAX_BODY_BYTES

Visit = Callable[[], httpx.Client]
AN_ORDER = "01KDVXQG0053EJ2M8Q4N7T6WAB"
PAGES = (
    "/console",
    "/console/live",
    "/console/orders",
    f"/console/orders/{AN_ORDER}",
    "/console/dead-letters",
    "/console/dead-letters/0123456789abcdef",
    "/console/dead-letters/0123456789abcdef/plan?action=redrive",
    "/console/owed",
    "/console/queues",
    "/console/queues/payments/pause",
    "/console/faults",
    "/console/faults/live",
)
ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/console",
    "/v1/orders",
    "/console\\@evil",
    "/consoles",
)
TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')
DOES = re.compile(r'name="does" value="([^"]+)"')


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A system in which nobody takes a step: its orders stay where they are."""
    with directory_in_memory() as home, Server(home, ("orders",)) as running:
        yield running


@pytest.fixture
def owner(server: Server) -> httpx.Client:
    return server.client_of("guarded")


def key_of(client: httpx.Client, *scopes: str) -> Any:
    return client.post("/v1/keys", json={"scopes": list(scopes)}).json()


def sign_in(visitor: httpx.Client, key: str, **more: str) -> httpx.Response:
    return visitor.post("/console/sign-in", data={"key": key, **more})


def asked(visitor: httpx.Client, order: str, change: str) -> dict[str, str]:
    """Give the fields of the form that asks whether to make a change."""
    page = visitor.get(f"/console/orders/{order}/{change}").text
    return {"token": TOKEN.findall(page)[-1], "does": DOES.findall(page)[0]}


@pytest.mark.parametrize("path", PAGES)
def test_without_a_session_there_is_only_the_way_in(visit: Visit, path: str) -> None:
    visitor = visit()
    turned_away = visitor.get(path)
    assert turned_away.status_code == 303
    assert turned_away.headers["location"].startswith("/console/sign-in?to=")
    visitor.cookies.set(COOKIE, "made-up")
    assert visitor.get(path).status_code == 303
    assert visitor.get(path, headers={"hx-request": "true"}).status_code == 401


def test_the_cookie_is_for_this_site_and_not_for_scripts(owner: httpx.Client, visit: Visit) -> None:
    visitor = visit()
    let_in = sign_in(visitor, key_of(owner, "operate")["key"], to="/console/orders?status=parked")
    assert let_in.headers["location"] == "/console/orders?status=parked"
    cookie = let_in.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/console"} <= set(cookie.split("; "))
    assert "Secure" not in cookie  # over plain HTTP a browser would not keep it
    assert visitor.get("/console").status_code == 200


def test_over_https_the_cookie_is_sent_by_https_alone(start: Any) -> None:
    running: Server = start(trusted_proxies="127.0.0.1")
    key = key_of(running.client(), "operate")["key"]
    headers = {"x-forwarded-proto": "https", "sec-fetch-site": "same-origin"}
    let_in = httpx.post(f"{running.url}/console/sign-in", data={"key": key}, headers=headers)
    assert "Secure" in let_in.headers["set-cookie"].split("; ")


@pytest.mark.parametrize("to", ELSEWHERE)
def test_nobody_is_led_elsewhere_after_signing_in(
    owner: httpx.Client, visit: Visit, to: str
) -> None:
    let_in = sign_in(visit(), key_of(owner, "operate")["key"], to=to)
    assert let_in.headers["location"] == "/console"


def test_a_key_without_the_scope_and_one_that_is_none_open_nothing(
    owner: httpx.Client, visit: Visit
) -> None:
    visitor = visit()
    lacking = sign_in(visitor, key_of(owner, "place", "audit")["key"])
    assert lacking.status_code == 403
    assert "lacks the scope read or operate" in lacking.text
    unknown = sign_in(visitor, "cvy_aaaaaaaaaaaaaaaa_" + "a" * 32)
    assert unknown.status_code == 401
    assert COOKIE not in visitor.cookies


def test_who_tries_keys_is_told_to_come_again_later(start: Any, visit: Visit) -> None:
    running: Server = start(failed_keys_a_minute=3)
    visitor = visit()
    visitor.base_url = httpx.URL(running.url)
    answers = [sign_in(visitor, f"cvy_{'a' * 16}_{'b' * 32}").status_code for _ in range(4)]
    assert answers == [401, 401, 401, 429]
    assert visitor.get("/console/enter?once=guess").status_code == 429


def test_a_session_ends_with_its_key_and_by_signing_out(owner: httpx.Client, visit: Visit) -> None:
    key = key_of(owner, "operate")
    first, second = visit(), visit()
    sign_in(first, key["key"])
    sign_in(second, key["key"])
    token = TOKEN.findall(first.get("/console").text)[0]
    word = first.cookies[COOKIE]
    assert first.post("/console/sign-out", data={"token": token}).status_code == 303
    first.cookies.set(COOKIE, word)
    assert first.get("/console").status_code == 303
    assert second.get("/console").status_code == 200
    owner.delete(f"/v1/keys/{key['id']}").raise_for_status()
    assert second.get("/console").status_code == 303


def test_a_session_ends_with_its_hours(
    owner: httpx.Client, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "SESSION_MS", 300)
    visitor = visit()
    sign_in(visitor, key_of(owner, "operate")["key"])
    assert visitor.get("/console").status_code == 200
    wait_until(lambda: visitor.get("/console").status_code, lambda status: status == 303)
    sign_in(visitor, key_of(owner, "operate")["key"])  # which forgets the others


def test_a_link_signs_in_once_and_not_for_long(
    server: Server, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = server.links.new(server.url)
    assert visit().head(link).status_code == 401  # as a preview does: it uses nothing up
    assert visit().get(link).headers["location"] == "/console"
    assert visit().get(link).status_code == 401
    late = server.links.new(server.url)
    now = server.app.engine.ambient.elapsed_ms()
    monkeypatch.setattr(type(server.app.engine.ambient), "elapsed_ms", lambda _: now + LINK_MS + 1)
    assert not server.links.take(late.partition("=")[2])


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "", "origin": "https://evil.example"},
        {"sec-fetch-site": ""},
    ],
)
def test_a_change_from_another_site_is_refused(
    owner: httpx.Client, visit: Visit, headers: dict[str, str]
) -> None:
    order = place(owner)
    visitor = visit()
    sign_in(visitor, key_of(owner, "operate")["key"])
    fields = asked(visitor, order, "cancel")
    if not headers["sec-fetch-site"]:  # an older browser
        del visitor.headers["sec-fetch-site"]
        headers = {name: value for name, value in headers.items() if value}
    refused = visitor.post(f"/console/orders/{order}/cancel", data=fields, headers=headers)
    assert refused.status_code == 403
    assert "from pages of this console alone" in refused.text
    assert owner.get(f"/v1/orders/{order}").json()["status"] == "processing"


def test_an_older_browser_says_by_its_origin_where_a_form_is_from(
    server: Server, owner: httpx.Client, visit: Visit
) -> None:
    visitor = visit()
    del visitor.headers["sec-fetch-site"]
    visitor.headers["origin"] = server.url
    assert sign_in(visitor, key_of(owner, "operate")["key"]).status_code == 303


def test_each_form_there_is_needs_its_origin_and_its_token(
    owner: httpx.Client, visit: Visit
) -> None:
    named = {"order_id": place(owner), "pile": "0" * 16, "service": "payments"}
    named |= {"change": "cancel", "decision": "pause"}
    visitor = visit()
    sign_in(visitor, key_of(owner, "operate", "audit")["key"])
    token = TOKEN.findall(visitor.get("/console").text)[-1]
    taken = [route.path.format(**named) for route in ROUTES if "POST" in (route.methods or ())]
    assert len(taken) >= 7
    for path in taken:
        site = visitor.post(path, data={"token": token}, headers={"sec-fetch-site": "same-site"})
        assert (site.status_code, "this console alone" in site.text) == (403, True), path
        for forged in ({}, {"token": "0" * 64}):
            refused = visitor.post(path, data=forged)
            assert (refused.status_code, "out of date" in refused.text) == (403, True), path
        large = visitor.post(path, content=b"token=" + b"x" * MAX_BODY_BYTES)
        assert large.status_code == 413, path


def test_a_form_needs_the_token_of_its_session(owner: httpx.Client, visit: Visit) -> None:
    order = place(owner)
    mine, anothers = visit(), visit()
    for visitor in (mine, anothers):
        sign_in(visitor, key_of(owner, "operate")["key"])
    fields = asked(mine, order, "cancel")
    for token in ("", asked(anothers, order, "cancel")["token"]):
        refused = mine.post(f"/console/orders/{order}/cancel", data={**fields, "token": token})
        assert refused.status_code == 403
    done = mine.post(f"/console/orders/{order}/cancel", data=fields)
    assert done.headers["location"] == f"/console/orders/{order}?did=cancel"


def test_a_change_is_made_only_as_it_was_told(owner: httpx.Client, visit: Visit) -> None:
    order = place(owner)
    visitor = visit()
    sign_in(visitor, key_of(owner, "operate")["key"])
    fields = asked(visitor, order, "cancel")
    other = {**fields, "does": "runs payments.refund"}
    assert visitor.post(f"/console/orders/{order}/cancel", data=other).status_code == 409
    owner.post(f"/v1/orders/{order}/cancel").raise_for_status()
    late = visitor.post(f"/console/orders/{order}/cancel", data=fields)
    assert late.status_code == 409
    assert "the order has moved on" in late.text
    assert visitor.get(f"/console/orders/{order}/explode").status_code == 404


def test_what_needs_a_reason_is_not_done_without(start: Any, visit: Visit) -> None:
    running: Server = start("orders", "payments")
    order = place(running.client(), paid_by("card_down"))
    wait_for(running.client(), order, "parked")
    visitor = visit()
    visitor.base_url = httpx.URL(running.url)
    sign_in(visitor, running.local_key)
    fields = asked(visitor, order, "discard")
    discard = f"/console/orders/{order}/discard"
    assert visitor.post(discard, data=fields).status_code == 422
    too_long = visitor.post(discard, data={**fields, "reason": "x" * 501})
    assert too_long.status_code == 422
    assert "x" * 501 in too_long.text  # it need not be written again
    assert visitor.post(discard, data={**fields, "reason": "asked by phone"}).status_code == 303
    wait_for(running.client(), order, "cancelled")


def test_a_merchants_key_sees_its_own_orders_alone(
    server: Server, owner: httpx.Client, visit: Visit
) -> None:
    theirs = place(server.client_of("neighbour"), order_of(reference="theirs-alone"))
    visitor = visit()
    sign_in(visitor, key_of(owner, "operate")["key"])
    assert visitor.get(f"/console/orders/{theirs}").status_code == 404
    assert visitor.get(f"/console/orders/{theirs}/cancel").status_code == 404
    assert theirs not in visitor.get("/console/orders?reference=theirs-alone").text
    token = TOKEN.findall(visitor.get("/console").text)[0]
    fields = {"token": token, "does": "runs payments.void"}
    assert visitor.post(f"/console/orders/{theirs}/cancel", data=fields).status_code == 404


def test_only_who_runs_the_system_sees_its_machines(owner: httpx.Client, visit: Visit) -> None:
    merchant, runner = visit(), visit()
    sign_in(merchant, key_of(owner, "operate")["key"])
    sign_in(runner, key_of(owner, "operate", "audit")["key"])
    assert "Processes" not in merchant.get("/console").text
    assert "Processes" in runner.get("/console").text


def test_what_a_customer_writes_is_shown_and_not_run(owner: httpx.Client, visit: Visit) -> None:
    evil = '<script>alert("1")</script>'
    order = place(owner, order_of(customer={"id": evil}, reference=f'"><img src=x onerror={evil}'))
    visitor = visit()
    sign_in(visitor, key_of(owner, "operate")["key"])
    for path in ("/console/orders", f"/console/orders/{order}", f"/console/orders?customer={evil}"):
        page = visitor.get(path).text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "&lt;script&gt;alert(&#34;1&#34;)" in page


def test_a_link_on_another_sites_page_leads_on_to_the_page(visit: Visit) -> None:
    came = visit().get("/console/orders", headers={"sec-fetch-site": "cross-site"})
    assert came.status_code == 200
    assert '<meta http-equiv="refresh" content="0">' in came.text


def test_links_are_for_who_holds_the_local_key(
    server: Server, owner: httpx.Client, visit: Visit
) -> None:
    given = server.client().post("/console/links")
    assert given.status_code == 201
    assert visit().get(given.json()["path"]).status_code == 303
    assert owner.post("/console/links").json()["code"] == "forbidden"
    assert server.client("").post("/console/links").json()["code"] == "unauthenticated"


def test_streams_are_counted_and_end_with_the_server(start: Any, visit: Visit) -> None:
    running: Server = start("orders", streams=1)
    visitor = visit()
    visitor.base_url = httpx.URL(running.url)
    sign_in(visitor, running.local_key)
    with visitor.stream("GET", "/console/live") as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("data: ")
        assert visitor.get("/console/live").status_code == 429
        running.ask_to_stop()
        assert "event: over" not in list(lines)


def test_a_stream_ends_with_its_key(owner: httpx.Client, visit: Visit) -> None:
    key = key_of(owner, "operate")
    visitor = visit()
    sign_in(visitor, key["key"])
    with visitor.stream("GET", "/console/live") as stream:
        lines = stream.iter_lines()
        next(lines)
        owner.delete(f"/v1/keys/{key['id']}").raise_for_status()
        assert "event: over" in list(lines)
