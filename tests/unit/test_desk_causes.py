"""Causes that differ in a number or an id are one; others are not."""

from __future__ import annotations

import pytest

from conveyor.operations.desk.causes import folded

ORDER, OTHER = "01KDVXQG0053EJ2M8Q4N7T6WAB", "01M8P2AGC17TK95G2QSBVJY9X3"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"TimeoutError: order {ORDER} took 3.2 s", f"TimeoutError: order {OTHER} took 12 s"),
        (f"key {ORDER}/payments.authorize/1", f"key {OTHER}/payments.authorize/12"),
        (
            "no row 3f2b8c1e-5d7a-4b6c-9e8f-0a1b2c3d4e5f",
            "no row a1b2c3d4-e5f6-4a7b-8c9d-0e1f2a3b4c5d",
        ),
        ("at 0x7f85c624fe10", "at 0x7f85c6249d00"),
        ("KeyError: 'sku-17'", "KeyError: 'sku-4'"),
        ("charge ch_3MqLiJ2eZvKYlo2C is gone", "charge ch_9XyLiJ2eZvKYlo2C is gone"),
        ("two\nlines of 1", "two lines  of 2"),
    ],
)
def test_what_differs_from_order_to_order_is_folded(one: str, other: str) -> None:
    assert folded(one) == folded(other)
    assert "#" in folded(one) or "\n" in one


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("KeyError: 'tax'", "KeyError: 'weight'"),
        ("ValueError: a negative sum", "TypeError: a negative sum"),
        ("ProviderUnavailable: connection refused", "ProviderUnavailable: no answer in time"),
    ],
)
def test_words_tell_causes_apart(one: str, other: str) -> None:
    assert folded(one) != folded(other)


def test_a_cause_is_not_without_end() -> None:
    assert len(folded("word " * 10_000)) == 300
