"""A program that cannot start says what is wrong, why and what to do: exit code 2, no traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.cli.driver import Said, say

UNANSWERING = "sqs://eu-west-1/shop-?endpoint_url=http://127.0.0.1:1"
STEP_MISSPELT = """
from conveyor import extension as ext

LINE = ext.Step("payments.authorise")
EXTENSION = ext.Extension("gifts", flows=(ext.Flow("gift", 1, (LINE,), LINE.name),))
"""
METHOD_MISSING = """
from conveyor import extension as ext


class PayOut(ext.CallStep[str, str]):
    pass


STEPS = {"bank.pay": PayOut()}
"""


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing that the AWS SDK would find on this machine."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def start(tmp_path: Path, **environment: str) -> Said:
    return say("stock", "set", "CD", 1, "--data", tmp_path / "data", **environment)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            STEP_MISSPELT,
            "extension gifts: flow gift@1: there is no step 'payments.authorise'; did you mean '",
        ),
        (METHOD_MISSING, "extension mine:EXTENSION: mine.py, line 9: TypeError: Can't instantiate"),
    ],
    ids=["misspelt step", "missing method"],
)
def test_of_an_extension_flow_and_step_are_named_or_the_line_of_its_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, says: str
) -> None:
    (tmp_path / "mine.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)

    said = start(tmp_path, CONVEYOR_EXTENSIONS="mine:EXTENSION")

    assert said.code == 2
    assert said.err.startswith(f"Error: {says}")


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("WEBHOOK_SECRET", "secret", 'begin with whsec_. This makes one: echo "whsec_$(openssl'),
        ("DEFAULT_CURRENCY", "QQQ", "'QQQ' is no currency of ISO 4217"),
        ("TRUSTED_PROXIES", "x", "'x' does not appear to be an IPv4 or IPv6 network"),
        ("MAX_RECEIVES", "0", "Input should be greater than or equal to 1"),
    ],
)
def test_of_a_setting_the_variable_is_named_and_what_it_may_be(
    tmp_path: Path, setting: str, value: str, says: str
) -> None:
    said = start(tmp_path, **{f"CONVEYOR_{setting}": value})

    assert said.code == 2
    assert said.err.startswith(f"Error: CONVEYOR_{setting}: ")
    assert says in said.err
    assert "Value error" not in said.err


def test_of_an_option_that_the_environment_gives_the_variable_is_named(tmp_path: Path) -> None:
    said = say("up", "--data", tmp_path, CONVEYOR_PORT="http")

    assert said.code == 2
    assert "'--port' (env var: 'CONVEYOR_PORT'): 'http' is not a valid integer" in said.err


@pytest.mark.parametrize("is_there", [True, False])
def test_a_file_that_is_no_database_is_named(tmp_path: Path, *, is_there: bool) -> None:
    file = tmp_path / "orders.db"
    if is_there:
        file.write_text("no database\n" * 1_000)
    else:
        file.mkdir()

    said = start(tmp_path, CONVEYOR_DATABASE_URL=f"sqlite:///{file}")

    assert said.code == 2
    assert said.err.startswith(f"Error: {file} cannot be used now, nothing was committed: ")
    assert "Check CONVEYOR_DATABASE_URL or --data" in said.err


def test_a_database_that_does_not_answer_is_named_as_in_its_setting(tmp_path: Path) -> None:
    url = "postgresql://conveyor:secret@127.0.0.1:1/orders"

    said = say("migrate", "--data", tmp_path, CONVEYOR_DATABASE_URL=url)

    assert said.code == 2
    first, advice = said.err.splitlines()
    assert first.startswith("Error: postgresql://127.0.0.1:1/orders cannot be used now")
    assert "Connection refused" in first
    assert advice.startswith("Check CONVEYOR_DATABASE_URL")


@pytest.mark.usefixtures("no_credentials")
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "Unable to locate credentials"),
        ({"AWS_PROFILE": "typo"}, "The config profile (typo) could not be found"),
        ({"AWS_ACCESS_KEY_ID": "a"}, "missing: AWS_SECRET_ACCESS_KEY"),
    ],
    ids=["none", "profile", "half"],
)
def test_missing_credentials_of_aws_are_said_to_be_missing(
    tmp_path: Path, given: dict[str, str], says: str
) -> None:
    said = say("queues", "provision", "--data", tmp_path, CONVEYOR_QUEUE_URL=UNANSWERING, **given)

    assert said.code == 2
    assert f"cannot be used now: AWS credentials: {says}" in said.err.replace(
        "Partial credentials found in env, ", ""
    )
    assert "The AWS SDK takes them from AWS_ACCESS_KEY_ID" in said.err
    assert "CONVEYOR_QUEUE_URL" not in said.err


def test_a_setting_that_is_wrong_hides_no_help() -> None:
    assert "Begin here:" in say("--help", CONVEYOR_MAX_RECEIVES="many").out
