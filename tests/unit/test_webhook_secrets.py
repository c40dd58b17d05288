"""Which webhook secrets a deployment has, and how one replaces another."""

from __future__ import annotations

import pytest

from conveyor.app.backends import SettingError, webhook_secrets
from conveyor.services.shipping.webhooks import WebhookKey, write_secret
from conveyor.settings import Settings

OLD = write_secret(b"o" * 32)
NEW = write_secret(b"n" * 32)
NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize("written", [f"{NEW} {OLD}", f"{NEW},{OLD}", f" {NEW}, {OLD} "])
def test_while_one_replaces_another_both_are_good(written: str) -> None:
    both = WebhookKey(webhook_secrets(Settings(webhook_secret=written)))

    for secret in (OLD, NEW):
        headers = WebhookKey([secret]).sign("msg_1", b"{}", NOW_MS)
        assert both.verify(headers, b"{}", NOW_MS) == "msg_1"


def test_one_process_may_make_one_up_but_several_may_not() -> None:
    alone = Settings(webhook_secret="", webhook_url="")
    several = Settings(webhook_secret="", webhook_url="http://127.0.0.1:1/v1/webhooks/carrier")

    assert webhook_secrets(alone) != webhook_secrets(alone)
    with pytest.raises(SettingError, match="CONVEYOR_WEBHOOK_SECRET") as raised:
        webhook_secrets(several)
    WebhookKey([raised.value.cause.rpartition(" ")[2]])  # the new one that it offers
