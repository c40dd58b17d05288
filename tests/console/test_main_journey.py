"""The main journey, in a real browser: payments break, orders park, are redriven and complete."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.cli.driver import until
from tests.console.shop import Seat, Shop, open_shop
from tests.console.test_accessibility import violations
from tests.servers.memory import directory_in_memory

MANY = 5
QUICK = {
    "CONVEYOR_DELIVERY_DELAY_SECONDS": "0.5",
    "CONVEYOR_PAYMENT_LATENCY_SECONDS": "0.1",
    "CONVEYOR_MAX_RECEIVES": "2",
    "CONVEYOR_BACKOFF_BASE_SECONDS": "0.1",
}
PATIENT_SECONDS = 60.0


@pytest.fixture(scope="module")
def broken_shop() -> Iterator[Shop]:
    """A system of its own: what is broken in it is nobody else's."""
    with directory_in_memory() as home, open_shop(home / "data", **QUICK) as running:
        yield running


@pytest.fixture
def seat(browser: Browser, broken_shop: Shop) -> Iterator[Seat]:
    """A seat before it; at the end it has heard no complaint."""
    # Colours do not fade into one another: axe would find them half-way.
    taken = Seat(browser, broken_shop, reduced_motion="reduce")
    yield taken
    taken.context.close()
    assert taken.complaints == []


def becomes(shop: Shop, order: str, status: str) -> None:
    """Wait until an order has this status."""
    until(
        lambda: shop.client.get(f"/v1/orders/{order}").json()["status"] == status, PATIENT_SECONDS
    )


def test_the_main_journey(seat: Seat, broken_shop: Shop) -> None:
    page, shop = seat.page, broken_shop
    sign_in_and_watch_orders_flow(page, shop)
    find_one(page, shop)
    page.get_by_role("link", name="Faults").click()
    page.get_by_role("switch", name="Payments fail").click()
    expect(page.get_by_role("switch", name="Payments fail")).to_be_checked()
    expect(page.get_by_role("status", name="Faults")).to_contain_text("Payments fail")

    orders = [shop.place() for _ in range(MANY)]
    line = page.get_by_role("region", name=re.compile("^shop"))
    expect(line.get_by_role("link", name=f"{MANY} parked")).to_be_visible()
    assert violations(page) == []
    assert violations_in_the_dark(seat) == []

    page.get_by_role("button", name="Everything works again").click()
    expect(page.get_by_role("status", name="Faults")).to_have_count(0)
    redrive_all(page)
    for order in orders:
        becomes(shop, order, "completed")
    page.get_by_role("link", name="Orders", exact=True).click()
    for order in orders:
        row = page.get_by_role("row").filter(has_text=order)
        expect(row.get_by_text("completed")).to_be_visible()
    page.get_by_role("link", name="Dead letters").click()
    expect(page.get_by_role("heading", name=re.compile("orders?$"))).to_have_count(0)


def violations_in_the_dark(seat: Seat) -> list[str]:
    """Give what axe finds where the same page is dark."""
    seat.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    found = violations(seat.page)
    seat.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    return found


def sign_in_and_watch_orders_flow(page: Page, shop: Shop) -> None:
    """Come in by the link, and see how many come to their end."""
    page.goto(shop.link)
    expect(page).to_have_title("Overview · Conveyor")
    for _ in range(MANY):
        shop.place()
    line = page.get_by_role("region", name=re.compile("^shop"))
    expect(line.get_by_text(re.compile(r"\d end a minute"))).to_be_visible()


def find_one(page: Page, shop: Shop) -> None:
    """Find an order by its reference, and see that it is completed."""
    order = shop.place(reference="the-one")
    becomes(shop, order, "completed")
    search = page.get_by_role("searchbox", name="Find an order")
    search.fill("the-one")
    search.press("Enter")
    page.get_by_role("link", name=order).click()
    expect(page.get_by_role("heading", name=order)).to_contain_text("completed")


def redrive_all(page: Page) -> None:
    """Redrive the pile that lies on the desk."""
    page.get_by_role("link", name="Dead letters").click()
    pile = page.get_by_role("article").filter(has_text="the provider could not authorize")
    pile.get_by_role("button", name="Redrive").click()
    expect(page.get_by_text("takes payments.authorize again")).to_be_visible()
    page.get_by_label("Orders a second").fill("100")
    page.get_by_role("button", name=f"Redrive {MANY} orders").click()
    done = re.compile(rf"Done:\s+{MANY} of {MANY} orders redriven")
    expect(page.get_by_text(done)).to_be_visible()


def test_what_one_switches_another_sees_at_once(
    seat: Seat, browser: Browser, broken_shop: Shop
) -> None:
    seat.sign_in()
    other = Seat(browser, broken_shop)
    other.sign_in()
    for page in (seat.page, other.page):
        page.goto("/console/faults")
    switch = seat.page.get_by_role("switch", name="The carrier is silent")
    switch.focus()
    seat.page.keyboard.press("Space")
    expect(switch).to_be_checked()
    theirs = other.page.get_by_role("switch", name="The carrier is silent")
    expect(theirs).to_be_checked()
    theirs.click()
    expect(switch).not_to_be_checked()
    other.context.close()
    assert other.complaints == []
