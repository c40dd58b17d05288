"""What whoever is on call does, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from tests.console.shop import Seat, Shop

Sit = Callable[..., Seat]


def test_the_link_of_up_signs_in_once(shop: Shop, sit: Sit) -> None:
    first, second = sit(), sit()
    first.page.goto(shop.link)
    expect(first.page).to_have_title("Overview · Conveyor")
    expect(first.page).to_have_url(re.compile(r"/console$"))

    second.page.goto(shop.link)

    expect(second.page.get_by_role("alert")).to_contain_text("This link was used before")
    assert second.complaints == [_failed(401)]
    second.complaints.clear()


def test_orders_are_watched_as_they_go_through(shop: Shop, sit: Sit) -> None:
    page = _signed_in(sit)
    shop_line = page.get_by_role("region", name=re.compile("^shop"))
    before = _count(page, "outside")

    for _ in range(3):
        shop.at(shop.place(), "awaiting")

    expect(shop_line.get_by_role("link", name=f"{before + 3} outside")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^api, orders"))).to_be_visible()


def test_an_order_is_found_opened_and_cancelled(shop: Shop, sit: Sit) -> None:
    order = shop.meal(reference="the-one-i-seek")
    shop.at(order, "awaiting")
    page = _signed_in(sit)
    search = page.get_by_role("searchbox", name="Find an order")
    search.fill("the-one-i-seek")
    search.press("Enter")
    page.get_by_role("link", name=order).click()
    expect(page.get_by_role("heading", name=order)).to_contain_text("awaiting")

    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("This runs restaurants.withdraw, payments.void.")).to_be_visible()
    page.get_by_label("Reason").fill("ordered twice")
    page.get_by_role("button", name="Cancel the order").click()

    expect(page.get_by_role("status").first).to_have_text("Its cancellation was taken.")
    expect(page.get_by_text("cancellation was asked for: ordered twice")).to_be_visible()
    # The hold on the money is let go of, and the open page says so by itself.
    expect(page.get_by_role("heading", name=order)).to_contain_text("cancelled")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


def test_a_parked_order_is_redriven_by_the_keyboard_alone(shop: Shop, sit: Sit) -> None:
    order = shop.place("card_down")
    shop.at(order, "parked")
    page = _signed_in(sit)
    page.goto(f"/console/orders/{order}")
    expect(page.get_by_text("provider unavailable").first).to_be_visible()
    page.get_by_text("Traceback", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Traceback (most recent call last)")).to_be_visible()

    page.get_by_role("button", name="Redrive").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Redrive the order").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("status").first).to_have_text("It takes its step again.")
    expect(page.get_by_text("an operator let it take its step again")).to_be_visible()


def test_a_page_says_that_the_server_is_gone(sit: Sit) -> None:
    seat = sit()
    seat.sign_in()
    seat.page.route("**/console/live", lambda route: route.abort())
    seat.page.goto("/console")
    expect(seat.page.get_by_text("The connection to the server was lost")).to_be_visible()
    assert seat.complaints
    seat.complaints.clear()


def test_who_signs_out_sees_nothing_more(sit: Sit) -> None:
    page = _signed_in(sit)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/console/orders?status=parked")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    field = page.get_by_label("API key")
    expect(field).to_be_focused()
    field.fill(sit().shop.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/console/orders\?status=parked$"))


def _signed_in(sit: Sit) -> Page:
    seat = sit()
    seat.sign_in()
    return seat.page


def _count(page: Page, standing: str) -> int:
    link = page.get_by_role("region", name=re.compile("^shop")).get_by_role("link", name=standing)
    return int(link.inner_text().split()[0]) if link.count() else 0


def _failed(status: int) -> str:
    return f"Failed to load resource: the server responded with a status of {status} (Unauthorized)"
