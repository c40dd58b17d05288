"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How bad it is: a failure keeps orders from being carried, or lets them be lost."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `todo` says what to do next, '' where nothing is."""

    check: str
    subject: str
    status: Status
    says: str
    todo: str = ""
    expected: str = ""
    found: str = ""


def fine(check: str, subject: str, says: str) -> Finding:
    """Say that it is as it should be."""
    return Finding(check, subject, Status.OK, says)


def warning(check: str, subject: str, says: str, todo: str) -> Finding:
    """Say what may become a problem."""
    return Finding(check, subject, Status.WARNING, says, todo)


def failure(check: str, subject: str, says: str, todo: str) -> Finding:
    """Say what is a problem."""
    return Finding(check, subject, Status.FAILURE, says, todo)
