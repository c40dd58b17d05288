"""The lean way to SQS takes a plain success, and leaves all else to the SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from conveyor.adapters.sqs.transport import TARGETS, LeanTransport
from conveyor.testing.loop import run_virtual, virtual_ambient


class Answering:
    """A session whose every request is answered the same."""

    def __init__(self, status: int, body: bytes, error: Exception | None = None) -> None:
        self.status, self.body, self.error = status, body, error
        self.headers: list[dict[str, str]] = []

    @asynccontextmanager
    async def post(self, _url: object, **request: Any) -> AsyncIterator[Any]:
        self.headers.append(request["headers"])
        if self.error:
            raise self.error

        async def read() -> bytes:
            return self.body

        yield SimpleNamespace(status=self.status, read=read)


class Credentials:
    async def get_frozen_credentials(self) -> Any:
        return SimpleNamespace(access_key="a", secret_key="s", token=None)


def call(session: Answering, operation: str = "receive_message") -> dict[str, Any] | None:
    async def main() -> dict[str, Any] | None:
        ambient, url = virtual_ambient(), "http://127.0.0.1:1"
        transport = LeanTransport(url, "eu-west-1", Credentials(), session, ambient)  # type: ignore[arg-type]
        return await transport.call(operation, {"QueueUrl": "q"})

    return run_virtual(main())


@pytest.mark.parametrize("operation", TARGETS)
def test_a_plain_success_is_taken(operation: str) -> None:
    session = Answering(200, b'{"Messages": []}')
    assert call(session, operation) == {"Messages": []}
    assert session.headers[0]["x-amz-target"] == TARGETS[operation]


def test_a_success_that_says_nothing_is_one() -> None:
    assert call(Answering(200, b"")) == {}


@pytest.mark.parametrize("status", [201, 204, 301, 302, 400, 403, 404, 429, 500, 503])
def test_any_other_answer_is_left_to_the_sdk(status: int) -> None:
    assert call(Answering(status, b'{"__type": "QueueDoesNotExist"}')) is None


@pytest.mark.parametrize("error", [aiohttp.ClientConnectionError(), TimeoutError()])
def test_no_answer_is_left_to_the_sdk(error: Exception) -> None:
    assert call(Answering(200, b"{}", error)) is None


def test_what_cannot_be_read_is_left_to_the_sdk() -> None:
    assert call(Answering(200, b"<html>")) is None


def test_operations_that_are_rare_are_left_to_the_sdk() -> None:
    session = Answering(200, b"{}")
    assert call(session, "purge_queue") is None
    assert session.headers == []
