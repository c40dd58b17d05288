"""What the pages are made of is shipped, and is what the notice beside it says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import httpx
import pytest
from tests.console.shop import Seat, Shop

from conveyor.entrypoints.console.assets import DIRECTORY, address_of

NOTICE = (DIRECTORY / "NOTICE.md").read_text()
ROW = re.compile(r"^\| `(\S+)` \| `(\S+)` \| (\S+) \| `\S+` \| `([0-9a-f]{64})` \|$", re.MULTILINE)
OURS = {"console.css", "console.js", "icon.svg", "NOTICE.md"}


def test_the_notice_names_each_file_of_others_with_its_licence() -> None:
    rows = ROW.findall(NOTICE)
    assert {row[0] for row in rows} == {it.name for it in DIRECTORY.iterdir()} - OURS
    for name, package, _, digest in rows:
        assert hashlib.sha256((DIRECTORY / name).read_bytes()).hexdigest() == digest
        assert f"## Licence of `{package}`" in NOTICE


@pytest.mark.parametrize("name", ["htmx.min.js", "uplot.min.js", "pico.classless.min.css"])
def test_a_version_is_what_the_file_itself_says(name: str) -> None:
    version = next(row[2] for row in ROW.findall(NOTICE) if row[0] == name)
    text = (DIRECTORY / name).read_text()
    # uPlot's own file does not say its version beyond its address.
    assert version in text or "uPlot" in text


def test_files_are_kept_by_browsers_and_others_are_not_given(
    visit: Callable[[], httpx.Client],
) -> None:
    client = visit()
    given = client.get(address_of("console.js"))
    assert given.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert given.headers["content-type"] == "text/javascript; charset=utf-8"
    for name in ("NOTICE.md", "nothing.js", "..%2fpages.py", "%2e%2e/pages.py"):
        assert client.get(f"/console/assets/{name}").status_code == 404


def test_no_page_asks_anybody_else_or_runs_a_script_of_its_own(
    shop: Shop, sit: Callable[..., Seat]
) -> None:
    seat = sit()  # which complains about each request to elsewhere, and about what is forbidden
    seat.sign_in()
    policy = httpx.get(f"{shop.url}/console/sign-in").headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert seat.page.evaluate("document.querySelectorAll('script:not([src])').length") == 0
