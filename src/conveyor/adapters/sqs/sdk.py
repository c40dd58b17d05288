"""Calls to SQS through the AWS SDK's client, its errors in our words, and a count of requests.

Only `SqsApi` imports this module, and only once it is needed: the SDK takes most of a second of
processor time to import and to make its client, which a function pays at each cold start.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
)

from conveyor.adapters.sqs.address import SqsAddress
from conveyor.adapters.sqs.asking import Answer, answer_of
from conveyor.adapters.sqs.errors import AwsCredentialsError, QueueNotProvisionedError
from conveyor.adapters.sqs.pool import KEEPALIVE_SECONDS
from conveyor.core.errors import QueueUnavailableError
from conveyor.core.untyped import Foreign

CONNECT_SECONDS = 5
MAX_ATTEMPTS = 4  # of a request, by the SDK; what still fails then is for the caller to try again
USER_AGENT = "conveyor"
_MISSING_QUEUE = ("NonExistentQueue", "QueueDoesNotExist")
_NO_CREDENTIALS = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
)
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
_NOT_TAKEN = (
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)


class SdkClient:
    """One client, for all queues."""

    def __init__(
        self, address: SqsAddress, connections: int, read_seconds: float, count: Callable[[], None]
    ) -> None:
        """`count` is called once for every request that goes out, the SDK's retries too."""
        self._address = address
        self._connections = connections
        self._read_seconds = read_seconds
        self._count = count
        self._stack = AsyncExitStack()
        self._client: Any = None
        self.credentials: Any = None
        """Those that the SDK's own chain found; they renew themselves. None: none."""

    async def open(self) -> None:
        """Create the client. Raises AwsCredentialsError: what is named is not there."""
        try:
            await self._connect()
        except _NO_CREDENTIALS as error:
            raise AwsCredentialsError(f"{self._address.prefix}*", str(error)) from error

    @property
    def endpoint_url(self) -> str:
        """Where the client sends its requests to."""
        return str(self._client.meta.endpoint_url)

    async def _connect(self) -> None:
        session = get_session()
        creating = session.create_client(
            "sqs",
            region_name=self._address.region,
            endpoint_url=self._address.endpoint_url,
            config=self._config(),
        )
        self._client = await self._stack.enter_async_context(creating)
        self._client.meta.events.register("before-send.sqs", lambda **_: self._count())
        self.credentials = await session.get_credentials()

    async def close(self) -> None:
        """Close the connections."""
        await self._stack.aclose()

    async def call(self, queue: str, operation: str, **parameters: Foreign) -> dict[str, Foreign]:
        """Call the SDK's `operation`, in its own words; `queue` is named when that fails.

        Raises QueueNotProvisionedError, and QueueUnavailableError for all else.
        """
        try:
            answer: dict[str, Any] = await getattr(self._client, operation)(**parameters)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code.endswith(_MISSING_QUEUE):
                raise QueueNotProvisionedError(queue) from error
            if code in _NOT_TAKEN:
                raise AwsCredentialsError(queue, str(error)) from error
            raise QueueUnavailableError(queue, str(error)) from error
        except _NO_CREDENTIALS as error:
            raise AwsCredentialsError(queue, str(error)) from error
        except BotoCoreError as error:
            raise QueueUnavailableError(queue, str(error)) from error
        return answer

    async def ask(self, queue: str, operation: str, **parameters: Foreign) -> Answer:
        """Call an operation once and give what was said, also where that is no.

        Raises QueueUnavailableError where nobody answers.
        """
        try:
            return answer_of(await getattr(self._client, operation)(**parameters))
        except ClientError as error:
            return answer_of(error.response)
        except BotoCoreError as error:
            raise QueueUnavailableError(queue, str(error)) from error

    def _config(self) -> AioConfig:
        """Prefer little work a request: what is sent was checked here, and by our own types."""
        return AioConfig(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=self._read_seconds,
            max_pool_connections=self._connections,
            connector_args={"keepalive_timeout": KEEPALIVE_SECONDS},
            retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
            parameter_validation=False,
            user_agent=USER_AGENT,  # a fixed one: else the SDK composes it anew, twice a request
        )
