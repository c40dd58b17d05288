"""Reads a file of resources: CSV with a header, a line for each flight or hotel night.

Flights have the columns `flight,date,seats`, hotels `hotel,date,rooms`; with `overbooking` a line
has its own percentage. What other columns say becomes the description.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from conveyor.core.errors import ConveyorError
from conveyor.core.printable import CONTROL, UNPRINTABLE
from conveyor.flows.travel.bookings.model import (
    FLIGHT,
    HOTEL,
    MAX_CAPACITY,
    MAX_OVERBOOKING_PERCENT,
    UNITS,
    Offer,
    resource_name,
)

BLANK = " \t\r\n\ufeff"  # the last is the mark with which spreadsheets begin a file
MAX_NAME_CHARACTERS = 60
MAX_DESCRIPTION_CHARACTERS = 200
OVERBOOKING = "overbooking"
DATE = "date"
_NAME = re.compile(f"[^{UNPRINTABLE}/]+")


class ResourceFileError(ConveyorError):
    """A line of a file of resources that cannot be read."""

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(f"line {line}: {cause}")
        self.line = line
        self.cause = cause


def read_resource_file(lines: Iterable[str], overbooking: int = 0) -> Iterator[Offer]:
    """Give what each line offers; `overbooking` is for lines that do not say their own.

    Raises `ResourceFileError`.
    """
    reader = csv.reader(lines, skipinitialspace=True)
    columns: Sequence[str] = ()
    try:
        for fields in reader:
            row = [field.strip(BLANK) for field in fields]
            if not any(row):
                continue
            if not columns:
                columns = _read_header(row, reader.line_num)
            else:
                yield _read_row(columns, row, overbooking, reader.line_num)
    except csv.Error as error:
        raise ResourceFileError(reader.line_num, f"not CSV: {error}") from error


def _read_header(row: Sequence[str], line: int) -> Sequence[str]:
    columns = [field.lower() for field in row]
    for kind, unit in UNITS.items():
        if {kind, DATE, unit} <= set(columns):
            return columns
    wanted = " or ".join(f"{kind},{DATE},{unit}" for kind, unit in UNITS.items())
    raise ResourceFileError(line, f"the header needs {wanted}; it is {','.join(row)}")


def _read_row(columns: Sequence[str], row: Sequence[str], overbooking: int, line: int) -> Offer:
    if len(row) != len(columns):
        raise ResourceFileError(line, f"has {len(row)} fields, the header {len(columns)}")
    cells = dict(zip(columns, row, strict=True))
    kind = FLIGHT if FLIGHT in cells else HOTEL
    name = cells.pop(kind)
    if not (len(name) <= MAX_NAME_CHARACTERS and _NAME.fullmatch(name)):
        raise ResourceFileError(
            line, f"{kind} needs 1 to {MAX_NAME_CHARACTERS} characters, no slash among them"
        )
    day = _date(cells.pop(DATE), line)
    capacity = _number(cells.pop(UNITS[kind]), UNITS[kind], MAX_CAPACITY, line)
    percent = cells.pop(OVERBOOKING, "")
    if percent:
        overbooking = _number(percent, OVERBOOKING, MAX_OVERBOOKING_PERCENT, line)
    return Offer(resource_name(kind, name, day), capacity, overbooking, _describe(cells))


def _date(text: str, line: int) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ResourceFileError(line, f"date is {text!r}, not as 2013-01-31") from None


def _number(text: str, column: str, most: int, line: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
        raise ResourceFileError(line, f"{column} is {text!r}, not a whole number")
    if int(text) > most:
        raise ResourceFileError(line, f"{column} is {text}, more than {most}")
    return int(text)


def _describe(cells: Mapping[str, str]) -> str:
    said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in cells.items() if value)
    return CONTROL.sub(" ", said)[:MAX_DESCRIPTION_CHARACTERS]
