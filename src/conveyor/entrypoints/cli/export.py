"""Orders as CSV or JSON Lines: all that match, written page by page as they come."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click
import orjson

from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.pages import pages

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target

COLUMNS = (
    *("id", "status", "flow", "flow_version", "merchant", "reference", "customer_id"),
    *("currency", "total", "step", "reason", "cancelling", "version"),
    *("placed_at", "updated_at", "settled_at"),
)
"""They stay as they are; others may be added at the end. `total` is in minor units."""
EXPORT_PAGE = 200

Row = Mapping[str, Any]


async def export_orders(
    target: Target, filters: Mapping[str, Json], limit: int | None, *, as_csv: bool
) -> None:
    """Write them to standard output; without a limit all."""
    write = _csv() if as_csv else _line
    async with target.client() as client:
        found = pages(client, "/v1/orders", "orders", limit, size=EXPORT_PAGE, **filters)
        async for page in found:
            for order in page:
                write(order)


def _line(order: Row) -> None:
    click.echo(orjson.dumps(order))


def _csv() -> Callable[[Row], None]:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(COLUMNS)
    return lambda order: out.writerow([_cell(order[name]) for name in COLUMNS]) and None


def _cell(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value  # None is an empty one
