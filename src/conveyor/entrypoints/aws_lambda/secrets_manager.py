"""The text of a secret in AWS Secrets Manager: by one signed request, or else through the SDK.

Every function of ours reads its secrets before anything else, and the SDK would take a cold start
half of its time for this one request. What is not a plain success the SDK tries again, and it says
best what is wrong.
https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
"""

from __future__ import annotations

import os

import orjson

from conveyor.adapters.sqs.environment import StaticCredentials, credentials_of_environment
from conveyor.adapters.sqs.posts import FewPosts
from conveyor.adapters.sqs.signing import Signer
from conveyor.adapters.steady_clock import machine_ms
from conveyor.core.errors import ConveyorError

SERVICE = "secretsmanager"
TARGET = "secretsmanager.GetSecretValue"
CONTENT_TYPE = "application/x-amz-json-1.1"
ENDPOINTS = ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL")
CONNECT_SECONDS, READ_SECONDS = 2, 5
ATTEMPTS = 3
REGION_IN_ARN = 3


class SecretError(ConveyorError):
    """A secret that cannot be used; what it says is never shown."""

    def __init__(self, arn: str, cause: str) -> None:
        super().__init__(f"the secret {arn} {cause}")
        self.arn = arn
        self.cause = cause


def text_of(arn: str) -> str:
    """Give what the secret of this ARN holds. Raises `SecretError`."""
    credentials = credentials_of_environment()
    lean = _lean(arn, credentials) if credentials is not None else None
    return _by_the_sdk(arn) if lean is None else lean


def _lean(arn: str, credentials: StaticCredentials) -> str | None:
    """Give the text; None: let the SDK try."""
    region = arn.split(":")[REGION_IN_ARN]
    url = next(filter(None, map(os.environ.get, ENDPOINTS)), None)
    url = url or f"https://{SERVICE}.{region}.amazonaws.com"
    body = orjson.dumps({"SecretId": arn})
    headers = Signer(url, region, SERVICE, CONTENT_TYPE).headers(
        credentials, TARGET, body, machine_ms()
    )
    posts = FewPosts(url, READ_SECONDS)
    text = posts.post_now(body, headers)
    posts.close_now()
    try:
        return None if text is None else str(orjson.loads(text)["SecretString"])
    except (orjson.JSONDecodeError, KeyError):
        return None


def _by_the_sdk(arn: str) -> str:
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.session import get_session

    client = get_session().create_client(
        SERVICE,
        region_name=arn.split(":")[REGION_IN_ARN],
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        ),
    )
    try:
        return str(client.get_secret_value(SecretId=arn)["SecretString"])
    except (BotoCoreError, ClientError) as error:
        raise SecretError(arn, f"is not to be read: {error}") from error
