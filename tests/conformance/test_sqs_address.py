"""What `sqs://REGION/PREFIX` says, and what a wrong one is answered."""

from __future__ import annotations

import pytest

from conveyor.adapters.sqs import SqsAddress, parse_sqs_url
from conveyor.adapters.sqs.errors import SqsUrlError
from conveyor.core.queue import QueueSpec


def test_urls_are_read() -> None:
    assert parse_sqs_url("sqs://eu-west-1/shop-") == SqsAddress("eu-west-1", "shop-", None)
    assert parse_sqs_url("sqs://us-gov-east-1") == SqsAddress("us-gov-east-1", "", None)
    assert parse_sqs_url("sqs://eu-west-1/shop-?endpoint_url=http://127.0.0.1:4566") == SqsAddress(
        "eu-west-1", "shop-", "http://127.0.0.1:4566"
    )


def test_names_on_sqs_have_prefix_and_ending() -> None:
    address = SqsAddress("eu-west-1", "shop-")
    assert address.queue_name(QueueSpec("payments")) == "shop-payments"
    assert address.queue_name(QueueSpec("payments").dead_letters()) == "shop-payments-dead"
    bookings = QueueSpec("bookings", fifo=True)
    assert address.queue_name(bookings) == "shop-bookings.fifo"
    assert address.queue_name(bookings.dead_letters()) == "shop-bookings-dead.fifo"


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("https://eu-west-1/shop-", "the scheme is 'https'"),
        ("sqs:eu-west-1/shop-", "'' is not the name of a region"),
        ("sqs:///shop-", "'' is not the name of a region"),
        ("sqs://shop/", "'shop' is not the name of a region"),
        ("sqs://eu-west-1/shop/x", "the prefix 'shop/x' is not"),
        ("sqs://eu-west-1/shop.", "the prefix 'shop.' is not"),
        ("sqs://eu-west-1/shop-?endpoint=http://h", "there is no setting endpoint"),
        ("sqs://eu-west-1/shop-?endpoint_url=h:4566", "endpoint_url is not an http"),
        ("sqs://eu-west-1/shop-?endpoint_url=", "endpoint_url is not an http"),
    ],
)
def test_a_wrong_url_says_what_is_wrong_and_how_it_should_be(url: str, cause: str) -> None:
    with pytest.raises(SqsUrlError) as raised:
        parse_sqs_url(url)
    assert raised.value.cause.startswith(cause)
    assert "sqs://REGION/PREFIX" in str(raised.value)
