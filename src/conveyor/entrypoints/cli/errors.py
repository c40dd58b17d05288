"""Expected trouble becomes a sentence on standard error and an exit code, never a traceback.

Exit codes: 0 it is as it should be, 1 what was looked for or asked for has a problem, 2 usage or
configuration, 130 interrupted.
"""

from __future__ import annotations

import click

from conveyor.messaging.errors import ConveyorError

PROBLEM = 1
MISUSE = 2

# What a command cannot even begin without; every other `ConveyorError` is a problem of its subject.
_CONFIGURATION = {
    "DataDirectoryInUseError": "",
    "SettingError": "`conveyor --help` lists the settings.",
    "ServerUnreachableError": "Start one with `conveyor up`, or name another with --server URL.",
    "AddressInUseError": "Choose another with --port, or --port 0 for any that is free.",
    "PostgresExtraMissingError": "",
    "AwsExtraMissingError": "",
    "SchemaNotCurrentError": "Run `conveyor migrate`.",
    "DatabaseUnavailableError": "Check CONVEYOR_DATABASE_URL, and that the server runs.",
    "QueueUnavailableError": "Check CONVEYOR_QUEUE_URL, and that the service answers.",
}
_ABOUT_KEYS = {401: "Set CONVEYOR_API_KEY; `conveyor keys create` makes a key."}


class TroubleError(click.ClickException):
    """What went wrong, and what to do next."""

    exit_code = PROBLEM

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message)


class MisuseError(TroubleError):
    """A command that could not even begin: usage or configuration."""

    exit_code = MISUSE


def trouble_of(error: Exception) -> TroubleError | None:
    """Say it for people; None: nobody expected this error."""
    from pydantic import ValidationError

    if isinstance(error, ExceptionGroup):
        return trouble_of(error.exceptions[0])
    if isinstance(error, ValidationError):
        settings = "; ".join(
            f"CONVEYOR_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()
        )
        return MisuseError(settings)
    if not isinstance(error, ConveyorError):
        return None
    hint = _CONFIGURATION.get(type(error).__name__)
    if hint is not None:
        return MisuseError(_sentence(error), hint)
    return TroubleError(_sentence(error), _ABOUT_KEYS.get(getattr(error, "status", 0), ""))


def _sentence(error: ConveyorError) -> str:
    text = str(error)
    return text if text.endswith((".", "!", "?")) else f"{text}."
