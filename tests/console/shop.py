"""A whole system as its operator has it: `conveyor up`, and a browser in front of its console."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.api.food import PLACE, meal
from tests.api.serving import NO_TLS, order_of, place, stock_up, wait_for
from tests.cli.driver import running
from tests.servers.waiting import PATIENCE_SECONDS

ENSURE = Path(__file__).parents[2] / "scripts" / "ensure-system-packages"
CHROMIUM = Path("/usr/bin/chromium")
SLOW = {
    "CONVEYOR_PAYMENT_LATENCY_SECONDS": "0.2",
    "CONVEYOR_DELIVERY_DELAY_SECONDS": "3600",
    "CONVEYOR_MAX_RECEIVES": "1",
    "CONVEYOR_FOOD_PACE_SECONDS": "3600",
}
"""Orders take their time, wait for their parcel, and are parked at the first fault."""
WAIT_MS = 60_000
"""How long a page may take: the machine may be busy."""
expect.set_options(timeout=WAIT_MS)


class Shop:
    """A running system; `link` signs in once."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.url: str = ready["url"]
        self.link: str = ready["console"]
        key = ready["first_key"]
        headers = {"authorization": f"Bearer {key}"}
        self.key: str = key
        self.client = httpx.Client(
            base_url=self.url, headers=headers, timeout=PATIENCE_SECONDS, verify=NO_TLS
        )
        stock_up(self.client)
        assert self.client.put("/v1/restaurants/luigi", json=PLACE).status_code == 200
        self._numbers = count(1)

    def place(self, method: str = "card_ok", **changes: Any) -> str:
        """Place an order; gives its id."""
        reference = f"web-{next(self._numbers):04}"
        body = {"reference": reference, "payment": {"method": method}, **changes}
        return place(self.client, order_of(**body))

    def meal(self, **changes: Any) -> str:
        """Place an order for a meal, which waits until its restaurant is asked in vain."""
        return place(self.client, meal(**changes))

    def at(self, order_id: str, *statuses: str) -> Any:
        """Wait until an order has one of these statuses."""
        return wait_for(self.client, order_id, *statuses)


@contextmanager
def open_shop(data: Path, **settings: str) -> Iterator[Shop]:
    """Run a system of one's own."""
    with running(data, **{**SLOW, **settings}) as (_, ready):
        shop = Shop(ready)
        try:
            yield shop
        finally:
            shop.client.close()


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Debian's Chromium, which is installed where it is missing."""
    subprocess.run([ENSURE, "chromium=chromium"], check=True)
    # Its sandbox needs a user other than root, or rights that a container does not give.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


class Seat:
    """Where an operator sits: a browser that complains about nothing."""

    def __init__(self, browser: Browser, shop: Shop, **options: Any) -> None:
        self.shop = shop
        self.context: BrowserContext = browser.new_context(base_url=shop.url, **options)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda it: self.complaints.append(it.text))
        self.page.on("request", self._must_be_ours)

    def sign_in(self) -> None:
        """Sign in with the key."""
        self.page.goto("/console/sign-in")
        field = self.page.get_by_label("API key")
        # The page puts the cursor there; who is faster than that has the browser complain.
        expect(field).to_be_focused()
        field.fill(self.shop.key)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/console")

    def _must_be_ours(self, request: Any) -> None:
        if not request.url.startswith((self.shop.url, "data:")):
            self.complaints.append(f"asks {request.url}")
