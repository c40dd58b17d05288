"""A payment provider over HTTP: what stands between Conveyor and a bank's API.

Tests run it against a small real server, with the checks that every provider of ours passes. Name
it with CONVEYOR_PAYMENT_PROVIDER=examples.http_provider:bank; the bank is at BANK_URL.
"""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import httpx

from conveyor import extension as ext

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 15.0
NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Bank:
    """The port `PaymentProvider`, over one client."""

    call_seconds = 20.0  # longer than the client waits: it knows better why it gives up
    calls_at_once = 50  # what the bank allows

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def authorize(self, request: ext.PaymentRequest, key: str) -> ext.PaymentAnswer:
        """Hold the amount."""
        return await self._post("authorize", request, key)

    async def capture(self, request: ext.PaymentRequest, key: str) -> ext.PaymentAnswer:
        """Take what was held."""
        return await self._post("capture", request, key)

    async def charge(self, request: ext.PaymentRequest, key: str) -> ext.PaymentAnswer:
        """Hold and take in one."""
        return await self._post("charge", request, key)

    async def void(self, request: ext.PaymentRequest, key: str) -> ext.PaymentAnswer:
        """Let go of what was held."""
        return await self._post("void", request, key)

    async def refund(self, request: ext.PaymentRequest, key: str) -> ext.PaymentAnswer:
        """Give back what was taken."""
        return await self._post("refund", request, key)

    async def lookup(self, key: str) -> ext.PaymentAnswer | None:
        """Say what became of this key; None: it never arrived."""
        response = await self.client.get("/operations", params={"key": key})
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        return _answer(response.raise_for_status().json())

    async def statement(self, order_ids: Sequence[str]) -> Mapping[str, ext.Moved]:
        """What the audit holds our books to; leave it out where the bank cannot tell."""
        response = await self.client.post("/statement", json=list(order_ids))
        told = response.raise_for_status().json()
        return {order_id: ext.Moved(**moved) for order_id, moved in told.items()}

    async def _post(
        self, operation: str, request: ext.PaymentRequest, key: str
    ) -> ext.PaymentAnswer:
        try:
            response = await self.client.post(
                f"/{operation}", json=asdict(request), headers={"idempotency-key": key}
            )
        except NOTHING_SENT as error:
            raise ext.NotAppliedError(f"the bank is not to be reached: {error!r}") from error
        # Any other exception, a time-out say, leaves it open whether money has moved, and so do
        # errors of the server: `lookup` is asked before anything else is done.
        if response.status_code == HTTPStatus.CONFLICT:  # a saved error, played back
            raise ext.KeySpentError(response.text)
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:  # it says so: nothing was done
            raise ext.NotAppliedError(response.text)
        if response.is_server_error:
            raise ext.UnansweredError(response.text)
        return _answer(response.raise_for_status().json())


def _answer(told: Mapping[str, Any]) -> ext.PaymentAnswer:
    if "declined" in told:
        return ext.Declined(told["declined"], final=told["final"])
    return ext.Approved(told["reference"], told["amount"])


@asynccontextmanager
async def bank(_settings: ext.Settings, _ambient: ext.Ambient) -> AsyncIterator[Bank]:
    """Open it, once a process."""
    timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    async with httpx.AsyncClient(base_url=os.environ["BANK_URL"], timeout=timeout) as client:
        yield Bank(client)
