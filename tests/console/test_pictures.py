"""The pictures of docs/console.md: taken of a shop at work, and each of a page that is there.

To take them anew: `CONSOLE_PICTURES=300 pytest tests/console/test_pictures.py`, after which so many
seconds of work are to be seen. Without that they are taken and thrown away.
"""

from __future__ import annotations

import os
import re
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from tests.api.serving import place
from tests.console.shop import Seat, Shop, open_shop
from tests.servers.memory import directory_in_memory

from conveyor.flows.shop.demo import STOCK, purchases

SECONDS = int(os.environ.get("CONSOLE_PICTURES", "0"))
PAUSE_SECONDS = 0.25
MEALS_EVERY = 12
DOWN_EVERY = 60
DOCS = Path(__file__).parents[2] / "docs"
DESK = {"width": 1200, "height": 820}
PHONE = {"width": 390, "height": 844}
PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    # These first: soon after the last order nothing is owed, nor waits.
    "owed": ("/console/owed", {"viewport": {"width": 1200, "height": 420}}),
    "queues": ("/console/queues", {"viewport": {"width": 1200, "height": 1000}}),
    "overview": ("/console", {"viewport": DESK}),
    "overview-dark": ("/console", {"viewport": DESK, "color_scheme": "dark"}),
    "orders": ("/console/orders", {"viewport": {"width": 1200, "height": 480}}),
    "order": ("/console/orders/{parked}", {"viewport": DESK}),
    "change": ("/console/orders/{parked}/redrive", {"viewport": {"width": 1200, "height": 320}}),
    "desk": ("/console/dead-letters", {"viewport": {"width": 1200, "height": 280}}),
    "pile": ("/console/dead-letters/{pile}", {"viewport": {"width": 1200, "height": 480}}),
    "plan": (
        "/console/dead-letters/{pile}/plan?action=redrive",
        {"viewport": {"width": 1200, "height": 560}},
    ),
    "phone": ("/console", {"viewport": PHONE}),
    "phone-dark": ("/console/orders/{parked}", {"viewport": PHONE, "color_scheme": "dark"}),
    "faults": ("/console/faults", {"viewport": DESK}),  # the last: something is broken from there
}
MOST_BYTES = 200_000


@pytest.fixture(scope="module")
def busy() -> Iterator[tuple[Shop, str]]:
    """A shop at work, and one of its orders that is parked."""
    waits = {
        "CONVEYOR_DELIVERY_DELAY_SECONDS": "20",
        "CONVEYOR_PAYMENT_LATENCY_SECONDS": "0.4",
        "CONVEYOR_MAX_RECEIVES": "3",
        "CONVEYOR_BACKOFF_BASE_SECONDS": "0.5",
    }
    with directory_in_memory() as home, open_shop(home / "data", **waits) as shop:
        for sku, units in STOCK.items():
            shop.client.put(f"/v1/stock/{sku}", json={"available": units}).raise_for_status()
        parked = shop.place("card_down", reference="order-17")
        shop.at(parked, "parked")
        work(shop)
        yield shop, parked


def work(shop: Shop) -> None:
    """Place real orders for as long as is asked for."""
    until = time.monotonic() + SECONDS
    for number, body in enumerate(purchases()):
        down = {"payment": {"method": "card_down"}} if number % DOWN_EVERY == 0 else {}
        place(shop.client, body | down)
        if number % MEALS_EVERY == 0:
            shop.meal(reference=f"table-{number}")
        if time.monotonic() > until and number > MEALS_EVERY:
            return
        time.sleep(PAUSE_SECONDS if SECONDS else 0)


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 120)
def test_pictures_are_taken(busy: tuple[Shop, str], browser: Browser, tmp_path: Path) -> None:
    shop, parked = busy
    directory = DOCS / "pictures" if SECONDS else tmp_path
    for name, (path, options) in PICTURES.items():
        seat = Seat(browser, shop, **options)
        seat.sign_in()
        seat.page.goto(path.format(parked=parked, pile=pile_of(seat) if "{pile}" in path else ""))
        seat.page.get_by_role("heading").first.wait_for()
        if path == "/console":  # its rates may follow a little later
            seat.page.get_by_text("card declined").wait_for()
        if path == "/console/faults":
            break_payments(shop, seat)
        picture = directory / f"console-{name}.png"
        seat.page.screenshot(path=picture)
        seat.context.close()
        assert size_of(picture) == tuple(options["viewport"].values())
        assert picture.stat().st_size < MOST_BYTES


def break_payments(shop: Shop, seat: Seat) -> None:
    """Let payments fail, and some orders be parked by that."""
    seat.page.get_by_role("switch", name="Payments fail").click()
    orders = [shop.place() for _ in range(MEALS_EVERY)]
    for order in orders[: MEALS_EVERY // 2]:
        shop.at(order, "parked")


def pile_of(seat: Seat) -> str:
    """Give the key of the largest pile of the desk."""
    seat.page.goto("/console/dead-letters")
    link = seat.page.get_by_role("article").first.get_by_role("link").first
    return str(link.get_attribute("href")).rpartition("/")[2]


def test_the_documentation_shows_pictures_that_are_there() -> None:
    shown = set()
    for page in (DOCS / "console.md", DOCS.parent / "README.md"):
        shown |= set(re.findall(r"pictures/(console-[a-z-]+\.png)", page.read_text()))
    assert shown
    kept = {it.name for it in (DOCS / "pictures").glob("console-*.png")}
    assert kept == shown == {f"console-{name}.png" for name in PICTURES} & kept
    for name in kept:
        wanted = PICTURES[name.removeprefix("console-").removesuffix(".png")][1]["viewport"]
        assert size_of(DOCS / "pictures" / name) == tuple(wanted.values())


def size_of(picture: Path) -> tuple[int, ...]:
    """Give width and height, as a PNG says them."""
    return struct.unpack(">II", picture.read_bytes()[16:24])
