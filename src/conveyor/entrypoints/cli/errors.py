"""Expected trouble becomes a sentence on standard error and an exit code, never a traceback.

Exit codes: 0 it is as it should be, 1 what was looked for or asked for has a problem, 2 usage or
configuration, 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any

import click

from conveyor.core.errors import (
    ConveyorError,
    DatabaseUnavailableError,
    DataDirectoryInUseError,
    QueueUnavailableError,
)
from conveyor.entrypoints.cli.output import note

if TYPE_CHECKING:
    from pydantic import ValidationError

PROBLEM = 1
MISUSE = 2


class TroubleError(click.ClickException):
    """What went wrong, and what to do next."""

    exit_code = PROBLEM

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message)

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it, on a terminal without breaking words."""
        if file is None:
            note(f"Error: {self.format_message()}")
        else:
            super().show(file)


class MisuseError(TroubleError):
    """A command that could not even begin: usage or configuration."""

    exit_code = MISUSE


def trouble_of(error: Exception) -> TroubleError | None:
    """Say it for people; None: nobody expected this error."""
    if isinstance(error, ExceptionGroup):
        return trouble_of(error.exceptions[0])
    said = _said_of_surroundings(error)
    if said:
        return MisuseError(said)
    if not isinstance(error, ConveyorError):
        return None
    hints = _configuration()
    for kind in type(error).__mro__:
        if kind in hints:
            return MisuseError(_sentence(error), hints[kind])
    unauthenticated = getattr(error, "status", 0) == HTTPStatus.UNAUTHORIZED
    return TroubleError(_sentence(error), ABOUT_KEYS if unauthenticated else "")


def _said_of_surroundings(error: Exception) -> str:
    """Say what is wrong with settings and files; '' when that is not it."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError) and error.title == "Settings":
        return settings_in_words(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'files'}: {error.strerror}."
    if isinstance(error, UnicodeDecodeError):
        return f"the file is not UTF-8: {error.reason} at byte {error.start}."
    return ""


ABOUT_KEYS = (
    "Commands take the key from CONVEYOR_API_KEY; `conveyor keys create` makes one. On the machine "
    "that has the data directory, commands with --data need none."
)


def _configuration() -> Mapping[type, str]:
    """Name what a command cannot even begin without, and what to do where the error leaves it open.

    Every other error is a problem of what the command was about.
    """
    from conveyor.adapters.postgres.errors import PostgresExtraMissingError, PostgresUrlError
    from conveyor.adapters.sqs.errors import (
        AwsCredentialsError,
        AwsExtraMissingError,
        QueueNotProvisionedError,
        SqsUrlError,
    )
    from conveyor.entrypoints.client import ServerUnreachableError
    from conveyor.entrypoints.fleet import NeverReadyError
    from conveyor.entrypoints.process import OneProcessError
    from conveyor.entrypoints.server import AddressInUseError
    from conveyor.settings import SettingError
    from conveyor.system.installation import ExtensionError
    from conveyor.system.tables import SchemaNotCurrentError

    return {
        # These say themselves what to do.
        AwsExtraMissingError: "",
        DataDirectoryInUseError: "",
        ExtensionError: "",
        NeverReadyError: "",
        OneProcessError: "",
        PostgresExtraMissingError: "",
        QueueNotProvisionedError: "",
        SchemaNotCurrentError: "",
        SettingError: "",
        SqsUrlError: "",
        PostgresUrlError: "Check CONVEYOR_DATABASE_URL.",
        ServerUnreachableError: "Start one with `conveyor up`, or name another with --server URL.",
        AddressInUseError: "Choose another with --host or --port; --port 0 takes one that is free.",
        AwsCredentialsError: "The AWS SDK takes them from AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, from the profile in AWS_PROFILE, or from the machine's role.",
        DatabaseUnavailableError: "Check CONVEYOR_DATABASE_URL or --data, and whether the server "
        "runs, or the disk has room.",
        QueueUnavailableError: "Check CONVEYOR_QUEUE_URL, and whether the service answers.",
    }


def settings_in_words(error: ValidationError) -> str:
    """Name each setting that cannot be read, and why."""
    return "; ".join(
        f"CONVEYOR_{'_'.join(map(str, e['loc'])).upper()}: {e['msg'].removeprefix('Value error, ')}"
        for e in error.errors()
    )


def _sentence(error: ConveyorError) -> str:
    text = str(error)
    return text if text.endswith((".", "!", "?")) else f"{text}."
