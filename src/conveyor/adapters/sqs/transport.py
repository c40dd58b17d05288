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
from typing import Any, Protocol

import orjson

from conveyor.adapters.sqs.signing import Credentials, Signer
from conveyor.core.ambient import Clock

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


class Posts(Protocol):
    """Sends POSTs to one URL."""

    async def post(self, body: bytes, headers: Mapping[str, str]) -> bytes | None:
        """Give what was answered; None: it was no plain success."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class LeanTransport:
    """Signs what is posted, and reads what is answered."""

    def __init__(self, signer: Signer, credentials: Renewing, posts: Posts, clock: Clock) -> None:
        """`credentials` are the environment's, or what the SDK's chain found."""
        self._signer = signer
        self._credentials = credentials
        self._posts = posts
        self._clock = clock

    async def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
        """Give the answer of a call that succeeded; None: let the SDK try."""
        target = TARGETS.get(operation)
        if target is None:
            return None
        body = orjson.dumps(parameters)
        frozen = await self._credentials.get_frozen_credentials()
        headers = self._signer.headers(frozen, target, body, self._clock.now_ms())
        text = await self._posts.post(body, headers)
        if text is None:
            return None
        try:
            read: dict[str, Any] = orjson.loads(text or b"{}")
        except orjson.JSONDecodeError:
            return None
        return read
