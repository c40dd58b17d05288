"""Calls to SQS: lean ones where that is possible, the AWS SDK's client for all else.

Only `SqsQueues.open` imports this module, so that Conveyor works without the SDK.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from conveyor.adapters.sqs.address import SqsAddress
from conveyor.adapters.sqs.asking import Answer
from conveyor.adapters.sqs.environment import (
    credentials_of_environment,
    endpoint_of,
    in_a_function,
)
from conveyor.adapters.sqs.posts import FewPosts
from conveyor.adapters.sqs.signing import Signer
from conveyor.adapters.sqs.transport import TARGETS, LeanTransport, Posts
from conveyor.core.ambient import Ambient
from conveyor.core.queue import LONG_POLL_SECONDS
from conveyor.core.untyped import Foreign

if TYPE_CHECKING:
    from conveyor.adapters.sqs.sdk import SdkClient

READ_SECONDS = LONG_POLL_SECONDS + 15  # a long poll is no time-out


class SqsApi:
    """Calls for all queues; whatever is not a plain success is left to the SDK."""

    def __init__(self, address: SqsAddress, connections: int, ambient: Ambient) -> None:
        """At most `connections` requests are under way at the same time, long polls included."""
        self.requests = 0
        self._address = address
        self._connections = connections
        self._ambient = ambient
        self._stack = AsyncExitStack()
        self._client: SdkClient | None = None
        self._making = asyncio.Lock()
        self._lean: LeanTransport | None = None

    async def open(self) -> None:
        """Find credentials: those of the environment, or by the SDK's own chain.

        Raises AwsCredentialsError for credentials that are named and are not there.
        """
        endpoint_url, credentials = endpoint_of(self._address), credentials_of_environment()
        if endpoint_url is None or credentials is None:
            sdk = await self._sdk()
            endpoint_url, credentials = sdk.endpoint_url, sdk.credentials
        if credentials is not None:  # without any, the SDK says best what is missing
            signer = Signer(endpoint_url, self._address.region, "sqs")
            posts = self._posts(endpoint_url)
            self._stack.push_async_callback(posts.close)
            self._lean = LeanTransport(signer, credentials, posts, self._ambient)

    async def close(self) -> None:
        """Close the connections."""
        await self._stack.aclose()

    async def call(self, queue: str, operation: str, **parameters: Foreign) -> dict[str, Foreign]:
        """Call the SDK's `operation`, in its own words; `queue` is named when that fails.

        Raises QueueNotProvisionedError, and QueueUnavailableError for all else.
        """
        if self._lean is not None and operation in TARGETS:
            self.requests += 1
            quick = await self._lean.call(operation, parameters)
            if quick is not None:
                return quick
        return await (await self._sdk()).call(queue, operation, **parameters)

    async def ask(self, queue: str, operation: str, **parameters: Foreign) -> Answer:
        """Call an operation once and give what was said, also where that is no.

        Raises QueueUnavailableError where nobody answers.
        """
        return await (await self._sdk()).ask(queue, operation, **parameters)

    def _posts(self, endpoint_url: str) -> Posts:
        if in_a_function():
            return FewPosts(endpoint_url, READ_SECONDS)
        from conveyor.adapters.sqs.pool import PooledPosts

        return PooledPosts(endpoint_url, READ_SECONDS, self._connections)

    async def _sdk(self) -> SdkClient:
        """Give the SDK's client, made when it is first needed."""
        async with self._making:
            if self._client is None:
                from conveyor.adapters.sqs.sdk import SdkClient

                client = SdkClient(self._address, self._connections, READ_SECONDS, self._count)
                self._stack.push_async_callback(client.close)
                await client.open()
                self._client = client
        return self._client

    def _count(self) -> None:
        self.requests += 1
