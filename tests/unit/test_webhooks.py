"""Signed webhooks, checked against the reference implementation in both directions."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from conveyor.flows.shop.shipping.webhooks import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    WebhookKey,
    WebhookRejectedError,
    WebhookSecretError,
    write_secret,
)

OLD = write_secret(b"o" * 32)
NEW = write_secret(b"n" * 24)
NOW_MS = 1_700_000_000_123
BODY = b'{"type":"shipment.delivered","name":"\xc3\xbc"}'


def test_what_we_sign_the_reference_verifies() -> None:
    headers = WebhookKey([NEW]).sign("msg_1", BODY, time.time_ns() // 1_000_000)

    standardwebhooks.Webhook(NEW).verify(BODY, headers)


def test_what_the_reference_signs_we_verify() -> None:
    at = datetime.fromtimestamp(NOW_MS // 1000, UTC)
    headers = {
        ID_HEADER: "msg_2",
        TIMESTAMP_HEADER: str(NOW_MS // 1000),
        SIGNATURE_HEADER: standardwebhooks.Webhook(NEW).sign("msg_2", at, BODY.decode()),
    }

    assert WebhookKey([NEW]).verify(headers, BODY, NOW_MS) == "msg_2"


def test_secrets_are_rotated_without_a_gap() -> None:
    before, during, after = WebhookKey([OLD]), WebhookKey([NEW, OLD]), WebhookKey([NEW])
    signed_during = during.sign("msg_3", BODY, NOW_MS)

    for receiver in (before, during, after):
        assert receiver.verify(signed_during, BODY, NOW_MS) == "msg_3"
    for sender in (before, during, after):
        assert during.verify(sender.sign("msg_4", BODY, NOW_MS), BODY, NOW_MS) == "msg_4"
    assert rejection(after, before.sign("msg_5", BODY, NOW_MS)) == SIGNATURE_HEADER


def test_signatures_of_schemes_that_we_do_not_know_are_passed_over() -> None:
    key = WebhookKey([NEW])
    headers = key.sign("msg_6", BODY, NOW_MS)
    headers[SIGNATURE_HEADER] = f"v1a,AAAA nonsense ü {headers[SIGNATURE_HEADER]}"

    assert key.verify(headers, BODY, NOW_MS) == "msg_6"


@pytest.mark.parametrize("off_seconds", [-300, 0, 300])
def test_a_webhook_is_accepted_within_five_minutes(off_seconds: int) -> None:
    key = WebhookKey([NEW])

    assert key.verify(key.sign("m", BODY, NOW_MS), BODY, NOW_MS + off_seconds * 1000) == "m"


@pytest.mark.parametrize(
    ("off_seconds", "cause"), [(301, "301 s behind"), (-301, "301 s ahead of")]
)
def test_a_replay_is_rejected(off_seconds: int, cause: str) -> None:
    key = WebhookKey([NEW])
    headers = key.sign("m", BODY, NOW_MS)

    with pytest.raises(WebhookRejectedError, match=cause) as caught:
        key.verify(headers, BODY, NOW_MS + off_seconds * 1000)
    assert caught.value.header == TIMESTAMP_HEADER


@pytest.mark.parametrize("name", [ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER])
def test_a_missing_header_is_named(name: str) -> None:
    headers = WebhookKey([NEW]).sign("m", BODY, NOW_MS)

    assert rejection(WebhookKey([NEW]), headers | {name: ""}) == name
    del headers[name]
    assert rejection(WebhookKey([NEW]), headers) == name


@pytest.mark.parametrize("time_", ["soon", "1.7e9", "-5", "٣", "9" * 5000])
def test_a_time_that_is_none_is_named(time_: str) -> None:
    headers = WebhookKey([NEW]).sign("m", BODY, NOW_MS) | {TIMESTAMP_HEADER: time_}

    assert rejection(WebhookKey([NEW]), headers) == TIMESTAMP_HEADER


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_body_changed_anywhere_is_rejected(position: int, change: int) -> None:
    key = WebhookKey([NEW])
    forged = bytearray(BODY)
    forged[position] ^= change

    with pytest.raises(WebhookRejectedError):
        key.verify(key.sign("m", BODY, NOW_MS), bytes(forged), NOW_MS)


@pytest.mark.parametrize("changed", [{ID_HEADER: "other"}, {TIMESTAMP_HEADER: "1700000001"}])
def test_id_and_time_are_signed_too(changed: dict[str, str]) -> None:
    headers = WebhookKey([NEW]).sign("m", BODY, NOW_MS) | changed

    assert rejection(WebhookKey([NEW]), headers) == SIGNATURE_HEADER


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "bm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5u",
        "whsec_",
        "whsec_***",
        "whsec_" + base64.b64encode(b"n" * 23).decode(),
        "whsec_" + base64.b64encode(b"n" * 65).decode(),
    ],
)
def test_a_bad_secret_is_refused_and_never_shown(secret: str) -> None:
    with pytest.raises(WebhookSecretError) as caught:
        WebhookKey([secret])
    assert secret.removeprefix("whsec_") not in str(caught.value) or not secret[6:]


def test_at_least_one_secret_is_needed() -> None:
    with pytest.raises(WebhookSecretError):
        WebhookKey([])


def test_a_secret_may_lack_its_padding() -> None:
    secret = write_secret(b"n" * 25)
    headers = WebhookKey([secret]).sign("m", BODY, NOW_MS)

    assert secret.endswith("=")
    assert WebhookKey([secret.rstrip("=")]).verify(headers, BODY, NOW_MS) == "m"


def rejection(key: WebhookKey, headers: dict[str, str]) -> str:
    """Give the header for which the webhook is rejected."""
    with pytest.raises(WebhookRejectedError) as caught:
        key.verify(headers, BODY, NOW_MS)
    return caught.value.header
