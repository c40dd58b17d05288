"""Who signs in with a key of scope `read` sees what there is to see, and changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.routing import Match, Route
from tests.api.serving import Server, place, wait_for
from tests.console.night import owner, parcel, server
from tests.console.shop import Seat
from tests.console.test_accessibility import PHONE, violations

from conveyor.access.store import api_keys
from conveyor.core.tables import metadata
from conveyor.entrypoints.console.viewer import COOKIE, ROOT

__all__ = ["owner", "server"]

Visit = Callable[[], httpx.Client]
OPERATORS_ALONE = {
    "/console/orders/{order_id}/edit",
    "/console/orders/{order_id}/{change}",
    "/console/dead-letters/{pile}/plan",
    "/console/queues/{service}/{decision}",
}
"""Pages that are there to change something; each other one answers as it answers an operator."""
LEAVING = "/console/sign-out"
OURS = ("/console/orders", "/console/dead-letters", "/console/searches", "/console/queues")
"""What is changed of one merchant's, and so by no other test."""
RESTLESS = {"workers"}
"""Tables that processes write by themselves, whoever looks on: here, that they live."""
TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')
DOES = re.compile(r'name="does" value="([^"]+)"')
HREF = re.compile(r'(?:href|action)="(/console[^"#?]*)')
POST = re.compile(r'<form[^>]*method="post"[^>]*>')


@pytest.fixture
def parked(owner: httpx.Client) -> str:
    """An order that an operator could do everything to."""
    order = place(owner, parcel("down", 1))
    wait_for(owner, order, "parked")
    return order


def signed_in(server: Server, visit: Visit, of: httpx.Client, *scopes: str) -> httpx.Client:
    """Let somebody of a merchant sign in."""
    visitor = visit()
    visitor.base_url = httpx.URL(server.url)
    key = of.post("/v1/keys", json={"scopes": [*scopes]}).json()["key"]
    assert visitor.post("/console/sign-in", data={"key": key}).status_code == 303
    return visitor


def routes_of(server: Server) -> Iterator[tuple[str, str]]:
    """Give the method and path of each of the console's routes, as the application has them."""
    outer = next(it for it in server.http.router.routes if getattr(it, "path", "") == ROOT)
    assert isinstance(outer, Route)
    assert isinstance(outer.endpoint, Starlette)
    for route in outer.endpoint.routes:
        assert isinstance(route, Route), "a route of a kind that this test does not know"
        yield from ((method, route.path) for method in sorted(route.methods or ()))


def places(visitor: httpx.Client, order: str) -> dict[str, str]:
    """Give what stands for each name in a path: what is there, and can be changed."""
    desk = visitor.get("/console/dead-letters").text
    pile = re.findall(r'href="/console/dead-letters/([0-9a-f]{16})"', desk)[0]
    named = {"order_id": order, "pile": pile, "change": "compensate", "name": "console.css"}
    return named | {"service": "weighing", "decision": "pause", "field": "sku"}


def filled(operator: httpx.Client, order: str) -> dict[str, str]:
    """Fill in each field that a form may have, so that an operator's is taken."""
    page = operator.get(f"/console/orders/{order}/compensate").text
    asked = {"does": DOES.findall(page)[0], "reason": "tried", "rate": "1", "action": "redrive"}
    return asked | {"until": "9" * 15, "name": "tried", "status": "parked", "fault": "declines"}


def status_of(visitor: httpx.Client, method: str, path: str, **sent: Any) -> int:
    """Ask, and look at no more than the status: some answers are streams."""
    with visitor.stream(method, path, **sent) as answer:
        return answer.status_code


def kept_in(server: Server) -> dict[str, list[Any]]:
    """Give all rows of all tables, but for what is written by itself."""

    def read(tx: Any) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for name, table in metadata.tables.items():
            if name not in RESTLESS:
                told = [it for it in table.c if it is not api_keys.c.last_used_at]
                rows = tx.connection.execute(sa.select(*told)).all()
                found[name] = sorted(map(repr, rows))
        return found

    return server.run(server.app.engine.database.read(read))


def test_every_route_changes_nothing_for_who_may_only_look(
    server: Server, owner: httpx.Client, parked: str, visit: Visit
) -> None:
    operator = signed_in(server, visit, owner, "operate", "audit")
    looker = signed_in(server, visit, owner, "read", "audit")
    named, fields = places(looker, parked), filled(operator, parked)
    token = TOKEN.findall(looker.get("/console").text)[-1]
    changing = [it for it in routes_of(server) if it[0] not in {"GET", "HEAD"}]
    assert len(changing) >= 10
    before = kept_in(server)
    for method, path in changing:
        if path != LEAVING:
            sent = {"data": fields | {"token": token}}
            status = status_of(looker, method, path.format(**named), **sent)
            # Of a door the key itself is asked for, and none was sent.
            is_door = path in {"/console/sign-in", "/console/links"}
            assert status == (401 if is_door else 403), (method, path)
    assert kept_in(server) == before

    left = looker.post(LEAVING, data={"token": token})
    assert (left.status_code, looker.get("/console").status_code) == (303, 303)
    # The same forms are an operator's to send: what was refused was refused for the scope.
    fields["token"] = TOKEN.findall(operator.get("/console").text)[-1]
    try:
        for method, path in changing:
            if path.startswith(OURS):
                status = status_of(operator, method, path.format(**named), data=fields)
                assert status not in {401, 403}, (method, path)
    finally:
        operator.post("/console/queues/weighing/resume", data=fields)


def test_every_page_that_only_tells_is_shown(
    server: Server, owner: httpx.Client, parked: str, visit: Visit
) -> None:
    operator = signed_in(server, visit, owner, "operate", "audit")
    looker = signed_in(server, visit, owner, "read", "audit")
    named = places(looker, parked)
    seen = set()
    for method, path in routes_of(server):
        if method not in {"GET", "HEAD"}:
            continue
        seen.add(path)
        asked = path.format(**named) + ("?action=redrive" if path.endswith("/plan") else "")
        mine, theirs = status_of(looker, method, asked), status_of(operator, method, asked)
        wanted = 403 if path in OPERATORS_ALONE else theirs
        assert (mine, theirs < 400 or path.endswith("/enter")) == (wanted, True), (method, path)
    assert seen >= OPERATORS_ALONE


def test_nothing_that_changes_is_offered(
    server: Server, owner: httpx.Client, parked: str, visit: Visit
) -> None:
    operator = signed_in(server, visit, owner, "operate", "audit")
    looker = signed_in(server, visit, owner, "read", "audit")
    token = TOKEN.findall(operator.get("/console").text)[-1]
    kept = {"token": token, "name": "stuck", "status": "parked"}
    assert operator.post("/console/searches", data=kept).status_code == 303
    alone = [Route(path, lambda _: None) for path in OPERATORS_ALONE]
    named, offered = places(looker, parked), {"looker": 0, "operator": 0}
    for who, visitor in (("looker", looker), ("operator", operator)):
        for path in (
            "/console",
            "/console/orders?status=parked",
            "/console/orders/{order_id}",
            "/console/dead-letters",
            "/console/dead-letters/{pile}",
            "/console/owed",
            "/console/queues",
            "/console/faults",
        ):
            page = visitor.get(path.format(**named))
            assert page.status_code == 200
            assert ("signed in to look only" in page.text) == (who == "looker"), path
            posts = [it for it in POST.findall(page.text) if LEAVING not in it]
            links = [it for it in HREF.findall(page.text) if leads(it, alone)]
            offered[who] += len(posts) + len(links)
            if who == "looker":
                assert (posts, links) == ([], []), path
    assert offered["operator"] > 20
    assert "stuck" in looker.get("/console/orders").text


def leads(path: str, routes: list[Route]) -> bool:
    """Whether a link leads to one of these."""
    scope = {"type": "http", "method": "GET", "path": path}
    live = path.endswith("/live")
    return not live and any(it.matches(scope)[0] == Match.FULL for it in routes)


def test_it_sees_of_customers_what_lists_of_orders_tell_it(
    server: Server, owner: httpx.Client, parked: str, visit: Visit
) -> None:
    looker = signed_in(server, visit, owner, "read")
    page = looker.get(f"/console/orders/{parked}").text
    assert "a@example.com" in page
    assert "Traceback" not in page  # which the API does not tell a reader either
    theirs = place(server.client_of("neighbour"), parcel("down", 2))
    assert looker.get(f"/console/orders/{theirs}").status_code == 404
    assert "Processes" not in looker.get("/console").text


def test_a_session_is_what_its_key_is_now(
    server: Server, owner: httpx.Client, parked: str, visit: Visit
) -> None:
    visitor = visit()
    visitor.base_url = httpx.URL(server.url)
    key = owner.post("/v1/keys", json={"scopes": ["read", "operate"]}).json()
    visitor.post("/console/sign-in", data={"key": key["key"]})
    fields = filled(visitor, parked)
    fields["token"] = TOKEN.findall(visitor.get("/console").text)[-1]
    with visitor.stream("GET", f"/console/orders/{parked}/live") as stream:
        lines = stream.iter_lines()
        next(lines)
        narrowed = sa.update(api_keys).where(api_keys.c.id == key["id"]).values(scopes="read")
        server.run(server.app.engine.database.run(lambda tx: tx.execute(narrowed)))
        assert "event: over" in list(lines)
    refused = visitor.post(f"/console/orders/{parked}/compensate", data=fields)
    assert (refused.status_code, "look only" in refused.text) == (403, True)
    assert "signed in to look only" in visitor.get(f"/console/orders/{parked}").text
    owner.delete(f"/v1/keys/{key['id']}").raise_for_status()
    assert visitor.get("/console").status_code == 303
    assert visitor.post(LEAVING, data=fields).headers["location"].startswith("/console/sign-in")
    assert owner.get(f"/v1/orders/{parked}").json()["status"] == "parked"
    assert COOKIE in visitor.cookies


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_seen_in_a_browser(
    server: Server, owner: httpx.Client, parked: str, browser: Browser, scheme: str
) -> None:
    key = owner.post("/v1/keys", json={"scopes": ["read", "audit"]}).json()["key"]
    shop: Any = SimpleNamespace(url=server.url, key=key)
    seat = Seat(browser, shop, color_scheme=scheme)
    seat.sign_in()
    page, found = seat.page, []
    for path in ("", f"/orders/{parked}", "/dead-letters", "/queues", "/faults"):
        page.set_viewport_size({"width": 1200, "height": 800})
        page.goto(f"/console{path}")
        found += violations(page)
        page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        expect(page.get_by_text("signed in to look only")).to_be_visible()
        expect(page.get_by_role("button")).to_have_text(["Sign out"])
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    seat.context.close()
    assert (found, seat.complaints) == ([], [])
