"""Which webhook secrets a deployment has, and how one replaces another."""

from __future__ import annotations

import pytest

from conveyor.flows.shop.carrier import webhook_key
from conveyor.flows.shop.shipping.webhooks import WebhookKey, WebhookRejectedError, write_secret
from conveyor.settings import SettingError, Settings

OLD = write_secret(b"o" * 32)
NEW = write_secret(b"n" * 32)
NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize("written", [f"{NEW} {OLD}", f"{NEW},{OLD}", f" {NEW}, {OLD} "])
def test_while_one_replaces_another_both_are_good(written: str) -> None:
    both = webhook_key(Settings(webhook_secret=written))

    for secret in (OLD, NEW):
        headers = WebhookKey([secret]).sign("msg_1", b"{}", NOW_MS)
        assert both.verify(headers, b"{}", NOW_MS) == "msg_1"


def test_one_that_is_made_up_is_known_to_nobody() -> None:
    none = Settings(webhook_secret="")
    signed = webhook_key(none).sign("msg_1", b"{}", NOW_MS)

    with pytest.raises(WebhookRejectedError):
        webhook_key(none).verify(signed, b"{}", NOW_MS)


def test_what_is_no_secret_is_told_with_a_way_to_one() -> None:
    with pytest.raises(SettingError, match="openssl rand") as raised:
        webhook_key(Settings(webhook_secret="whsec_short"))
    assert raised.value.name == "CONVEYOR_WEBHOOK_SECRET"
