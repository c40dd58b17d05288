"""Reading stock from CSV."""

from __future__ import annotations

import pytest

from conveyor.flows.shop.inventory.stock_file import StockFileError, read_stock_file


@pytest.mark.parametrize("header", ["", "sku,quantity\n", "\ufeffSKU, Quantity\r\n"])
def test_a_stock_file_is_read_with_or_without_header(header: str) -> None:
    text = f'{header}CD,10\n\n "LP, red" , 0 \n"LP, red",3\n'

    rows = list(read_stock_file(text.splitlines(keepends=True)))

    assert rows == [("CD", 10), ("LP, red", 0), ("LP, red", 3)]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("CD", "needs sku,quantity and has 1 fields"),
        ("CD,1,2", "needs sku,quantity and has 3 fields"),
        (",5", "sku needs 1 to 200 characters"),
        ("C" * 201 + ",5", "sku needs 1 to 200 characters"),
        ("C\0D,5", "none of them a control character"),
        ("CD,-1", "quantity is '-1', not a whole number of units"),
        ("CD,1.5", "quantity is '1.5', not a whole number of units"),
        ("CD,٣", "quantity is '٣', not a whole number of units"),
        ("CD," + "9" * 5000, "not a whole number of units"),
        ("CD," + "9" * 200_000, "not CSV: field larger than field limit"),
        ("CD,1000000000000001", "more than 1000000000000000"),
    ],
)
def test_a_bad_line_is_named(line: str, cause: str) -> None:
    with pytest.raises(StockFileError) as caught:
        list(read_stock_file(["LP,1\n", f"{line}\n"]))

    assert caught.value.line == 2
    assert cause in caught.value.cause
