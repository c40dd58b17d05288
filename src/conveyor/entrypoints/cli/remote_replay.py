"""A replay over the network, into a running server that may stop and come back meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, TypeVar

from conveyor.commerce.orders.placement import KeyInFlight, Overloaded, Placed
from conveyor.core.order_status import OrderStatus
from conveyor.core.untyped import Json
from conveyor.entrypoints.client import ApiError, Client, ServerUnreachableError
from conveyor.operations.replay import Answer, ReplayReport, Unacceptable, wait_in_words
from conveyor.system.request_counts import COUNT_SECONDS

PATIENCE_SECONDS = 120.0
"""How long a server may be away before the replay gives up."""
RETRY_SECONDS = 0.5
TRY_AGAIN = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
UNACCEPTABLE = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
T = TypeVar("T")

OPEN = (OrderStatus.AWAITING, OrderStatus.PROCESSING, OrderStatus.COMPENSATING)
REPLAYED = "idempotent-replayed"


class RemoteTarget:
    """The `ReplayTarget` over HTTP; whose orders they are, the API key says."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def place(self, key: str, text: bytes) -> Answer:
        """See `ReplayTarget`."""
        tries = 0

        async def send() -> Answer:
            nonlocal tries
            tries += 1
            placed, answer = await self._client.send("POST", "/v1/orders", text, key=key)
            # An answer that was lost on its way makes an order of ours look like one from before.
            again = REPLAYED in answer.headers and tries == 1
            return Placed(placed["id"], 0, again)

        try:
            return await self._patiently(send)
        except ApiError as error:
            if error.status == HTTPStatus.CONFLICT:
                return KeyInFlight(key)
            if error.status in TRY_AGAIN:
                return Overloaded(0)
            if error.status in UNACCEPTABLE:
                return Unacceptable(str(error))
            raise

    async def count_open(self, prefix: str, /) -> int:
        """See `ReplayTarget`."""
        return int((await self._summary(prefix))["open"])

    async def waiting(self) -> str:
        """See `ReplayTarget`; of this merchant's orders, whoever placed them."""
        for status in OPEN:
            page = await self._client.get("/v1/orders", status=status, limit=1)
            for order in page["orders"]:
                story = await self._client.get(f"/v1/orders/{order['id']}/explain")
                if wait := story["waits_for"]:
                    return wait_in_words(order["id"], wait["what"], wait["until"])
        return ""

    async def requests(self) -> int | None:
        """See `ReplayTarget`; waits until the processes have written down what they made."""
        found = (await self._summary(None)).get("sqs_requests")
        if found is None:
            return None
        await asyncio.sleep(COUNT_SECONDS + RETRY_SECONDS)
        return int((await self._summary(None))["sqs_requests"])

    async def report(self, prefix: str) -> ReplayReport:
        """See `ReplayTarget`."""
        summary = await self._summary(prefix)
        names = ("by_status", "captured", "refunded", "refused_because", "latency_ms")
        return ReplayReport(*(summary[name] for name in names))

    async def _summary(self, prefix: str | None) -> Json:
        return await self._patiently(lambda: self._client.get("/v1/summary", key_prefix=prefix))

    async def _patiently(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Try again while the server does not answer: it may be starting."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return await call()
            except ServerUnreachableError:
                if time.monotonic() > give_up_at:
                    raise
                await asyncio.sleep(RETRY_SECONDS)
