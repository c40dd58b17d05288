"""The lean way to SQS takes a plain success, and leaves all else to the SDK."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from conveyor.adapters.sqs.signing import Signer
from conveyor.adapters.sqs.transport import TARGETS, LeanTransport
from conveyor.testing.loop import run_virtual, virtual_ambient


class Answering:
    """Answers every request the same."""

    def __init__(self, body: bytes | None) -> None:
        self.body = body
        self.headers: list[Mapping[str, str]] = []

    async def post(self, _body: bytes, headers: Mapping[str, str]) -> bytes | None:
        self.headers.append(headers)
        return self.body

    async def close(self) -> None: ...


class Credentials:
    async def get_frozen_credentials(self) -> Any:
        return SimpleNamespace(access_key="a", secret_key="s", token=None)


def call(posts: Answering, operation: str = "receive_message") -> dict[str, Any] | None:
    async def main() -> dict[str, Any] | None:
        signer = Signer("http://127.0.0.1:1", "eu-west-1", "sqs")
        transport = LeanTransport(signer, Credentials(), posts, virtual_ambient())
        return await transport.call(operation, {"QueueUrl": "q"})

    return run_virtual(main())


@pytest.mark.parametrize("operation", TARGETS)
def test_a_plain_success_is_taken(operation: str) -> None:
    posts = Answering(b'{"Messages": []}')
    assert call(posts, operation) == {"Messages": []}
    assert posts.headers[0]["x-amz-target"] == TARGETS[operation]


def test_a_success_that_says_nothing_is_one() -> None:
    assert call(Answering(b"")) == {}


def test_what_is_no_success_is_left_to_the_sdk() -> None:
    assert call(Answering(None)) is None


def test_what_cannot_be_read_is_left_to_the_sdk() -> None:
    assert call(Answering(b"<html>")) is None


def test_operations_that_are_rare_are_left_to_the_sdk() -> None:
    posts = Answering(b"{}")
    assert call(posts, "purge_queue") is None
    assert posts.headers == []
