"""Pages that everybody can use: nothing that axe-core takes for serious, and no page too wide."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from tests.console.shop import Seat, Shop

SERIOUS = {"serious", "critical"}
PHONE = {"width": 390, "height": 844}
CHANGES = ("redrive", "compensate", "discard")


@pytest.fixture(scope="session")
def pages(shop: Shop) -> list[str]:
    """The addresses of pages with something on them."""
    parked, refused, awaiting = shop.place("card_down"), shop.place("card_declined"), shop.place()
    shop.at(parked, "parked")
    shop.at(refused, "refused")
    shop.at(awaiting, "awaiting")
    orders = [f"/console/orders/{it}" for it in (parked, refused, awaiting)]
    lists = ["/console", "/console/orders", "/console/orders?reference=nobody"]
    lists += ["/console/dead-letters", "/console/owed", "/console/queues", "/console/faults"]
    lists += ["/console/queues/payments/pause"]
    return [*lists, *orders, *(f"{orders[0]}/{change}" for change in CHANGES)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_keeps_anybody_out(
    scheme: str, pages: list[str], sit: Callable[..., Seat]
) -> None:
    seat = sit(color_scheme=scheme)
    seat.page.goto("/console/sign-in")
    found = {"/console/sign-in": violations(seat.page)}
    seat.sign_in()
    for path in pages:
        seat.page.goto(path)
        found[path] = violations(seat.page)
    seat.complaints[:] = [it for it in seat.complaints if "409" not in it]  # what is not possible
    assert {path: said for path, said in found.items() if said} == {}


def test_pages_fit_a_phone(pages: list[str], sit: Callable[..., Seat]) -> None:
    seat = sit(viewport=PHONE)
    seat.sign_in()
    wide = []
    for path in pages:
        seat.page.goto(path)
        if seat.page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            wide.append(path)
    seat.complaints[:] = [it for it in seat.complaints if "409" not in it]
    assert wide == []


def violations(page: Page) -> list[str]:
    """Give what axe finds, each with the elements that it is about."""
    found = Axe().run(page).response["violations"]
    return [
        f"{it['id']}: {[node['html'] for node in it['nodes']]}"
        for it in found
        if it["impact"] in SERIOUS
    ]
