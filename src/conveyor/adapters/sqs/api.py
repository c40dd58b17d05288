"""Calls to SQS: lean ones where that is possible, the AWS SDK's client for all else.

Only `SqsQueues.open` imports this module, so that Conveyor works without the SDK.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from conveyor.adapters.sqs.address import SqsAddress
from conveyor.adapters.sqs.asking import Answer
from conveyor.adapters.sqs.environment import credentials_of_environment, endpoint_of
from conveyor.adapters.sqs.transport import TARGETS, LeanTransport, open_session
from conveyor.messaging.ambient import Ambient

if TYPE_CHECKING:
    from conveyor.adapters.sqs.sdk import SdkClient


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
            pool = await self._stack.enter_async_context(open_session(self._connections))
            self._lean = LeanTransport(
                endpoint_url, self._address.region, credentials, pool, self._ambient
            )

    async def close(self) -> None:
        """Close the connections."""
        await self._stack.aclose()

    async def call(self, queue: str, operation: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - the SDK's
        """Call the SDK's `operation`, in its own words; `queue` is named when that fails.

        Raises QueueNotProvisionedError, and QueueUnavailableError for all else.
        """
        if self._lean is not None and operation in TARGETS:
            self.requests += 1
            quick = await self._lean.call(operation, parameters)
            if quick is not None:
                return quick
        return await (await self._sdk()).call(queue, operation, **parameters)

    async def ask(self, queue: str, operation: str, **parameters: Any) -> Answer:  # noqa: ANN401 - the SDK's
        """Call an operation once and give what was said, also where that is no.

        Raises QueueUnavailableError where nobody answers.
        """
        return await (await self._sdk()).ask(queue, operation, **parameters)

    async def _sdk(self) -> SdkClient:
        """Give the SDK's client, made when it is first needed."""
        async with self._making:
            if self._client is None:
                from conveyor.adapters.sqs.sdk import SdkClient  # noqa: PLC0415 - slow to import

                client = SdkClient(self._address, self._connections, self._count)
                self._stack.push_async_callback(client.close)
                await client.open()
                self._client = client
        return self._client

    def _count(self) -> None:
        self.requests += 1
