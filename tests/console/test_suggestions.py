"""Whoever looks for orders is offered what there is to be found."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect
from tests.api.serving import Server, paid_by, place, stock_up, wait_for
from tests.console.night import owner, server
from tests.console.shop import Seat
from tests.console.test_accessibility import PHONE, violations

from conveyor.operations.suggestions import MOST

__all__ = ["owner", "server"]

Visit = Callable[[], httpx.Client]
SKUS = ("CD", "CD-LIVE", "CD<2>", "VINYL", "cd-small", "ÉTUI")
SUGGESTED = "it => [...it.list.options].map(option => option.value)"
"""What the browser offers for a field."""
OPTION = re.compile(r'<option value="([^"]*)">')


@pytest.fixture
def sold(owner: httpx.Client) -> str:
    """An order that was declined, of a merchant who sells something; gives its id."""
    stock_up(owner)
    for sku in SKUS:
        owner.put(f"/v1/stock/{sku}", json={"available": 5}).raise_for_status()
    declined = [place(owner, paid_by("card_declined")) for _ in range(2)]
    cancelled = place(owner)
    for order in declined:
        wait_for(owner, order, "refused")
    owner.post(f"/v1/orders/{cancelled}/cancel", json={"reason": "ordered twice"})
    wait_for(owner, cancelled, "cancelled", "completed")
    return declined[0]


def reading(owner: httpx.Client) -> str:
    """Give a key of a merchant's that may only look."""
    key: str = owner.post("/v1/keys", json={"scopes": ["read"]}).json()["key"]
    return key


def signed_in(server: Server, visit: Visit, key: str) -> httpx.Client:
    """Let somebody sign in."""
    visitor = visit()
    visitor.base_url = httpx.URL(server.url)
    assert visitor.post("/console/sign-in", data={"key": key}).status_code == 303
    return visitor


def offered(visitor: httpx.Client, field: str, written: str = "") -> list[str]:
    """Give what is offered for a field, as it was written."""
    answer = visitor.get(f"/console/suggestions/{field}", params={field: written})
    assert answer.status_code == 200
    return OPTION.findall(answer.text)


@pytest.mark.usefixtures("sold")
def test_what_there_is_is_offered(server: Server, owner: httpx.Client, visit: Visit) -> None:
    visitor = signed_in(server, visit, reading(owner))
    assert offered(visitor, "sku", "CD") == ["CD", "CD-LIVE", "CD&lt;2&gt;"]
    assert offered(visitor, "sku", "cd") == ["cd-small"]
    assert offered(visitor, "sku", "ÉT") == ["ÉTUI"]
    assert set(offered(visitor, "sku")) == {it.replace("<2>", "&lt;2&gt;") for it in SKUS}
    assert offered(visitor, "reason")[0] == "card declined"
    for odd in ("\x00", "x" * 501, "%", "_"):
        assert offered(visitor, "sku", odd) == []
    assert visitor.get("/console/suggestions/email").status_code == 404


@pytest.mark.usefixtures("sold")
def test_nobody_is_offered_what_is_anothers(server: Server, visit: Visit) -> None:
    stranger = signed_in(server, visit, reading(server.client_of("neighbour")))
    assert (offered(stranger, "sku", "CD"), offered(stranger, "reason")) == ([], [])
    assert visit().get(f"{server.url}/console/suggestions/sku").status_code == 303
    everybodys = signed_in(server, visit, server.local_key)
    assert offered(everybodys, "sku", "C") == ["CD"]  # that orders have
    assert "card declined" in offered(everybodys, "reason")


def test_no_more_are_offered_than_somebody_reads(
    server: Server, owner: httpx.Client, visit: Visit
) -> None:
    for number in range(MOST + 5):
        owner.put(f"/v1/stock/MANY-{number:02}", json={"available": 1}).raise_for_status()
    found = offered(signed_in(server, visit, reading(owner)), "sku", "MANY")
    assert found == [f"MANY-{number:02}" for number in range(MOST)]


@pytest.mark.usefixtures("sold")
def test_they_are_there_for_the_keyboard(
    server: Server, owner: httpx.Client, browser: Browser
) -> None:
    """The list that drops down is the browser's own, and one without a screen draws none."""
    shop: Any = SimpleNamespace(url=server.url, key=reading(owner))
    seat = Seat(browser, shop)
    seat.sign_in()
    page = seat.page
    page.goto("/console/orders")
    sku = page.get_by_role("combobox", name="SKU")
    page.get_by_label("E-mail").focus()
    page.keyboard.press("Tab")
    page.keyboard.type("VI")
    expect(page.locator("#some-sku option")).to_have_count(1)
    assert sku.evaluate(SUGGESTED) == ["VINYL"]
    sku.clear()
    reason = page.get_by_role("combobox", name="Reason")
    reason.focus()
    expect(page.locator("#some-reason option").first).to_be_attached()
    found = violations(page)
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.keyboard.type(reason.evaluate(SUGGESTED)[0])
    page.keyboard.press("Enter")
    expect(page.get_by_role("cell", name="card declined")).to_have_count(2)
    seat.context.close()
    assert (found, seat.complaints) == ([], [])
