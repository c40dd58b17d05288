"""Which webhook secrets a deployment has, and how one replaces another."""

from __future__ import annotations

import pytest

from conveyor.flows.shop.carrier import webhook_keys
from conveyor.flows.shop.shipping.webhooks import WebhookKey, WebhookRejectedError, write_secret
from conveyor.settings import SettingError, Settings

OLD = write_secret(b"o" * 32)
NEW = write_secret(b"n" * 32)
NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize("written", [f"{NEW} {OLD}", f"{NEW},{OLD}", f" {NEW}, {OLD} "])
def test_while_one_replaces_another_both_are_good(written: str) -> None:
    both = webhook_keys(Settings(webhook_secret=written))

    for secret in (OLD, NEW):
        headers = WebhookKey([secret]).sign("msg_1", b"{}", NOW_MS)
        assert both.verify(headers, b"{}", NOW_MS) == "simulated"


def test_one_that_is_made_up_is_known_to_nobody() -> None:
    none = Settings(webhook_secret="")
    signed = webhook_keys(none)["simulated"].sign("msg_1", b"{}", NOW_MS)

    with pytest.raises(WebhookRejectedError):
        webhook_keys(none).verify(signed, b"{}", NOW_MS)


def test_what_is_no_secret_is_told_with_a_way_to_one() -> None:
    with pytest.raises(SettingError, match="openssl rand") as raised:
        webhook_keys(Settings(webhook_secret="whsec_short"))
    assert raised.value.name == "CONVEYOR_WEBHOOK_SECRET"


@pytest.mark.parametrize(
    "written",
    [f"{NEW}, post={OLD}", f"post={OLD} simulated={NEW}", f"{NEW.rstrip('=')} post={OLD}"],
)
def test_each_carrier_has_its_own(written: str) -> None:
    both = webhook_keys(Settings(carrier="simulated, acme=post", webhook_secret=written))

    for secret, carrier in ((OLD, "post"), (NEW, "simulated")):
        headers = WebhookKey([secret]).sign("msg_1", b"{}", NOW_MS)
        assert both.verify(headers, b"{}", NOW_MS) == carrier


@pytest.mark.parametrize(
    ("written", "cause"),
    [
        (f"{NEW} post={NEW}", "simulated and post have the same"),
        (f"poste={NEW}", "CONVEYOR_CARRIER does not name poste"),
        (f"post={NEW},post=whsec_short", "openssl rand"),
    ],
)
def test_whose_they_are_must_be_certain(written: str, cause: str) -> None:
    with pytest.raises(SettingError, match=cause) as raised:
        webhook_keys(Settings(carrier="simulated, acme=post", webhook_secret=written))
    assert NEW not in str(raised.value)
