"""The calls that every message needs, signed as the SDK would sign them, and no more.

The SDK's own client spends most of a millisecond of processor time on a call: on hooks, endpoint
rules, serializers, user agent, signature. Here a call is one signed POST of JSON, at a fifth of
that (benchmarks tell). Whatever is not a plain success is left to the SDK's client, which calls
again and knows all about errors, retries and their pauses; sending twice is harmless, see the
design.

Protocol: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol

import aiohttp
import orjson
from yarl import URL

from conveyor.adapters.sqs.signing import Credentials, Signer
from conveyor.messaging.ambient import Ambient
from conveyor.messaging.queue import LONG_POLL_SECONDS

READ_SECONDS = LONG_POLL_SECONDS + 15  # a long poll is no time-out
# Under SQS's own, so that it is rarely SQS that closes a connection as we send on it.
KEEPALIVE_SECONDS = 30
TARGETS = {
    "get_queue_url": "AmazonSQS.GetQueueUrl",
    "send_message_batch": "AmazonSQS.SendMessageBatch",
    "receive_message": "AmazonSQS.ReceiveMessage",
    "delete_message_batch": "AmazonSQS.DeleteMessageBatch",
    "change_message_visibility_batch": "AmazonSQS.ChangeMessageVisibilityBatch",
}


class Renewing(Protocol):
    """Credentials that renew themselves, where they run out; the SDK's do."""

    async def get_frozen_credentials(self) -> Credentials:
        """Give those that are good now."""
        ...


class LeanTransport:
    """Signed POSTs over one pool of connections."""

    def __init__(
        self,
        endpoint_url: str,
        region: str,
        credentials: Renewing,
        session: aiohttp.ClientSession,
        ambient: Ambient,
    ) -> None:
        """`credentials` are the environment's, or what the SDK's chain found."""
        self._url = URL(endpoint_url.rstrip("/") + "/")
        self._signer = Signer(endpoint_url, region, "sqs")
        self._credentials = credentials
        self._session = session
        self._ambient = ambient

    async def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
        """Give the answer of a call that succeeded; None: let the SDK try."""
        target = TARGETS.get(operation)
        if target is None:
            return None
        body = orjson.dumps(parameters)
        frozen = await self._credentials.get_frozen_credentials()
        headers = self._signer.headers(frozen, target, body, self._ambient.now_ms())
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                if answer.status != HTTPStatus.OK:
                    return None
                read: dict[str, Any] = orjson.loads(await answer.read() or b"{}")
                return read
        except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError):
            return None


def open_session(connections: int) -> aiohttp.ClientSession:
    """Give a pool of connections."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=KEEPALIVE_SECONDS),
        timeout=aiohttp.ClientTimeout(total=READ_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=True,
    )
