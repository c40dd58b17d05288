"""Reads a stock file: CSV with a line `sku,quantity` for each SKU, with or without a header."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from conveyor.core.errors import ConveyorError
from conveyor.core.printable import CONTROL
from conveyor.flows.shop.inventory.model import MAX_AVAILABLE, MAX_SKU_LENGTH

HEADER = ["sku", "quantity"]
BLANK = " \t\r\n\ufeff"  # the last is the mark with which spreadsheets begin a file
MAX_DIGITS = len(str(MAX_AVAILABLE))


class StockFileError(ConveyorError):
    """A line of a stock file that cannot be read."""

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(f"line {line}: {cause}")
        self.line = line
        self.cause = cause


def read_stock_file(lines: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Give SKU and quantity of each line; empty lines are passed over. Raises `StockFileError`."""
    reader = csv.reader(lines, skipinitialspace=True)
    try:
        for number, fields in enumerate(reader):
            row = [field.strip(BLANK) for field in fields]
            if any(row) and (number or [field.lower() for field in row] != HEADER):
                yield _read_row(row, reader.line_num)
    except csv.Error as error:
        raise StockFileError(reader.line_num, f"not CSV: {error}") from error


def _read_row(row: list[str], line: int) -> tuple[str, int]:
    if len(row) != len(HEADER):
        raise StockFileError(line, f"needs sku,quantity and has {len(row)} fields")
    sku, quantity = row
    if not sku or len(sku) > MAX_SKU_LENGTH or CONTROL.search(sku):
        raise StockFileError(
            line, f"sku needs 1 to {MAX_SKU_LENGTH} characters, none of them a control character"
        )
    if not (quantity.isascii() and quantity.isdigit() and len(quantity) <= MAX_DIGITS):
        raise StockFileError(line, f"quantity is {quantity!r}, not a whole number of units")
    if int(quantity) > MAX_AVAILABLE:
        raise StockFileError(line, f"quantity is {quantity}, more than {MAX_AVAILABLE}")
    return sku, int(quantity)
