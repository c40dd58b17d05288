"""The carrier's message: read as it was written, or refused with the field that is wrong."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conveyor.flows.shop.shipping.messages import (
    ConfirmationError,
    Delivered,
    Ignored,
    read_confirmation,
    write_confirmation,
)

DELIVERED = Delivered("01HY0000000000000000000000", "SIM1")
GOOD = {"order": DELIVERED.order_id, "tracking": DELIVERED.tracking}


def test_a_confirmation_is_read_as_it_was_written() -> None:
    assert read_confirmation(write_confirmation(DELIVERED, 1_700_000_000_000)) == DELIVERED


def test_what_is_not_about_a_delivery_is_ignored() -> None:
    assert read_confirmation(b'{"type": "shipment.delayed"}') == Ignored("shipment.delayed")


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"null", b'"shipment.delivered"'])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(ConfirmationError) as caught:
        read_confirmation(body)
    assert caught.value.field == "body"


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("type", {"data": GOOD}),
        ("type", {"type": 1, "data": GOOD}),
        ("data", {}),
        ("data", {"data": [GOOD]}),
        ("data.order", {"data": {"tracking": "SIM1"}}),
        ("data.order", {"data": GOOD | {"order": "short"}}),
        ("data.order", {"data": GOOD | {"order": 26}}),
        ("data.tracking", {"data": GOOD | {"tracking": ""}}),
        ("data.tracking", {"data": GOOD | {"tracking": None}}),
        ("data.tracking", {"data": GOOD | {"tracking": "x" * 101}}),
    ],
)
def test_the_wrong_field_is_named(field: str, message: dict[str, Any]) -> None:
    known = {} if field == "type" else {"type": "shipment.delivered"}

    with pytest.raises(ConfirmationError) as caught:
        read_confirmation(orjson.dumps(known | message))
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")
