"""What the environment alone tells is taken; what else may have a say is left to the SDK."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.session import Session

from conveyor.adapters.sqs.address import SqsAddress
from conveyor.adapters.sqs.environment import credentials_of_environment, endpoint_of

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
NOWHERE = {"AWS_CONFIG_FILE": "/nowhere/config"}


@pytest.mark.parametrize("token", [None, "t"])
def test_credentials_are_those_that_the_sdk_finds(
    token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = KEYS if token is None else KEYS | {"AWS_SESSION_TOKEN": token}
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ours, theirs = credentials_of_environment(environment), Session().get_credentials()
    assert ours is not None
    assert theirs is not None
    assert (ours.access_key, ours.secret_key, ours.token) == (
        theirs.access_key,
        theirs.secret_key,
        theirs.token,
    )


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"AWS_ACCESS_KEY_ID": "a"},
        {"AWS_SECRET_ACCESS_KEY": "s"},
        KEYS | {"AWS_SECRET_ACCESS_KEY": ""},
        KEYS | {"AWS_CREDENTIAL_EXPIRATION": "2026-12-01T00:00:00Z"},
    ],
)
def test_other_credentials_the_sdk_has_to_find(environment: dict[str, str]) -> None:
    assert credentials_of_environment(environment) is None


@pytest.mark.parametrize(
    "region", ["eu-west-1", "us-east-1", "ap-southeast-5", "us-gov-west-1", "il-central-1"]
)
def test_the_endpoint_is_the_sdks(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (KEYS | NOWHERE).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    client = Session().create_client("sqs", region_name=region)
    assert endpoint_of(SqsAddress(region), NOWHERE) == client.meta.endpoint_url


def test_an_endpoint_that_is_given_is_taken() -> None:
    address = SqsAddress("eu-west-1", endpoint_url="http://127.0.0.1:4566")
    assert endpoint_of(address, {"AWS_USE_FIPS_ENDPOINT": "true"}) == "http://127.0.0.1:4566"


@pytest.mark.parametrize("region", ["cn-north-1", "us-iso-east-1", "us-isob-east-1"])
def test_other_domains_the_sdk_knows(region: str) -> None:
    assert endpoint_of(SqsAddress(region), NOWHERE) is None


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT",
    ],
)
def test_what_moves_an_endpoint_is_for_the_sdk(name: str) -> None:
    assert endpoint_of(SqsAddress("eu-west-1"), NOWHERE | {name: "true"}) is None


def test_a_config_file_may_move_it_too(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\n")
    assert endpoint_of(SqsAddress("eu-west-1"), {"AWS_CONFIG_FILE": str(config)}) is None
