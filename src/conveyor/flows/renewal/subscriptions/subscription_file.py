"""Reads a file of subscriptions: CSV with a header, or JSON objects, one a line."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import orjson

from conveyor.core.errors import ConveyorError

NEEDED = ("id", "customer", "plan", "card")
OPTIONAL = ("zone", "starts", "paid_until")
BLANK = " \t\r\n\ufeff"  # the last is the mark with which spreadsheets begin a file


class SubscriptionFileError(ConveyorError):
    """A line of a file of subscriptions that cannot be read."""

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(f"line {line}: {cause}")
        self.line = line
        self.cause = cause


def read_subscription_file(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give the number of each line and its fields; empty lines are passed over.

    Raises `SubscriptionFileError`. Whether the fields are right, who takes them says.
    """
    rest = iter(lines)
    first = next(rest, "")
    whole = chain([first.lstrip(BLANK)], rest)
    return _read_json(whole) if first.lstrip(BLANK).startswith("{") else _read_csv(whole)


def _read_json(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            fields = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise SubscriptionFileError(number, f"not JSON: {error}") from error
        if not isinstance(fields, dict):
            raise SubscriptionFileError(number, "is no JSON object")
        yield number, fields


def _read_csv(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(lines, skipinitialspace=True)
    try:
        names = [name.strip(BLANK).lower() for name in next(reader, [])]
        wrong = sorted(set(names) - {*NEEDED, *OPTIONAL}) or sorted(set(NEEDED) - set(names))
        if wrong:
            known = ",".join((*NEEDED, *OPTIONAL))
            raise SubscriptionFileError(1, f"the header is not right at {wrong[0]!r}: {known}")
        for fields in reader:
            row = [field.strip(BLANK) for field in fields]
            if len(row) != len(names) and any(row):
                raise SubscriptionFileError(reader.line_num, f"needs {len(names)} fields")
            if any(row):
                yield reader.line_num, {n: v for n, v in zip(names, row, strict=True) if v}
    except csv.Error as error:
        raise SubscriptionFileError(reader.line_num, f"not CSV: {error}") from error
