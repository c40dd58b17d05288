"""What the environment alone tells of AWS, as it does in a function: credentials, and no others.

The SDK looks in many places for what it is to use, and importing it for that takes a cold start
most of its time. Where the environment holds the credentials it asks nobody else; where more than
the environment may have a say in the endpoint, it is asked.
https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from conveyor.adapters.sqs.address import SqsAddress

RENEWED = "AWS_CREDENTIAL_EXPIRATION"
"""Set where the credentials run out: the SDK renews those."""
WITH_A_SAY = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
)
"""Variables that move an endpoint."""
FUNCTION = "AWS_LAMBDA_RUNTIME_API"
"""Set in every function: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""
CONFIG_FILE = "AWS_CONFIG_FILE"
USUAL_CONFIG_FILE = "~/.aws/config"
OTHER_DOMAINS = ("cn-", "us-iso", "eu-isoe", "eusc-")
"""Regions whose endpoints are not under amazonaws.com."""


@dataclass(frozen=True, slots=True)
class StaticCredentials:
    """Credentials that last as long as the process."""

    access_key: str
    secret_key: str
    token: str | None

    async def get_frozen_credentials(self) -> Self:
        """Give them as they are; the SDK's own renew themselves here."""
        return self


def in_a_function(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether this process is one of Lambda's."""
    return FUNCTION in environment


def credentials_of_environment(
    environment: Mapping[str, str] = os.environ,
) -> StaticCredentials | None:
    """Give the credentials that the SDK would find first; None: it has to look for them."""
    access_key = environment.get("AWS_ACCESS_KEY_ID")
    secret_key = environment.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key or environment.get(RENEWED):
        return None
    return StaticCredentials(access_key, secret_key, environment.get("AWS_SESSION_TOKEN"))


def endpoint_of(address: SqsAddress, environment: Mapping[str, str] = os.environ) -> str | None:
    """Give where SQS is; None: the SDK knows.

    https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
    """
    if address.endpoint_url is not None:
        return address.endpoint_url
    if any(environment.get(name) for name in WITH_A_SAY):
        return None
    config = Path(environment.get(CONFIG_FILE, USUAL_CONFIG_FILE)).expanduser()
    if address.region.startswith(OTHER_DOMAINS) or config.exists():
        return None
    return f"https://sqs.{address.region}.amazonaws.com"
