"""`conveyor stock`: what there is to sell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote

import click

from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.options import json_option, limit_option, run, why_option, with_target
from conveyor.entrypoints.cli.output import emit, say, table
from conveyor.entrypoints.cli.pages import collect

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target

MAX_QUANTITY = 10**15
ROWS_A_REQUEST = 10_000


@click.group()
def stock() -> None:
    """Set, import and list stock."""


# Taken as they are, so that -5 is told what is wrong with it, and not that it is no option.
@stock.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("sku")
@click.argument("quantity", type=click.IntRange(0, MAX_QUANTITY))
@why_option
@with_target
@json_option
def set_(sku: str, quantity: int, why: str, target: Target, *, as_json: bool) -> None:
    """Make QUANTITY units of SKU available from now on; what is reserved or sold stays so."""
    level = run(_set(target, sku, quantity, why))
    emit(level, as_json=as_json, show=lambda level: _show([level]))


@stock.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@with_target
@json_option
def import_(file: TextIO, target: Target, *, as_json: bool) -> None:
    """Set the stock of many SKUs: FILE is CSV with a line `sku,quantity` each; - reads stdin."""
    from conveyor.flows.shop.inventory.stock_file import read_stock_file

    rows = [{"sku": sku, "available": units} for sku, units in read_stock_file(file)]
    skus = run(_import(target, rows))
    emit({"skus": skus}, as_json=as_json, show=lambda _: say(f"{skus:,} SKUs are set."))


@stock.command("list")
@limit_option
@with_target
@json_option
def list_(limit: int, target: Target, *, as_json: bool) -> None:
    """List the stock of every SKU; what is reserved belongs to orders on their way."""
    emit(run(collect(target, "/v1/stock", "stock", limit)), as_json=as_json, show=_show)


async def _set(target: Target, sku: str, quantity: int, why: str) -> Json:
    path = f"/v1/stock/{quote(sku, safe='')}"
    async with target.client(begins=True) as client:
        return await client.put(path, {"available": quantity}, why=why)


async def _import(target: Target, rows: list[dict[str, Any]]) -> int:
    skus = 0
    async with target.client(begins=True) as client:
        for start in range(0, len(rows), ROWS_A_REQUEST):
            page = rows[start : start + ROWS_A_REQUEST]
            skus += (await client.post("/v1/stock/import", {"stock": page}))["skus"]
    return skus


def _show(levels: Iterable[Mapping[str, Any]]) -> None:
    columns = ("available", "reserved", "sold", "received")
    rows = [(level["sku"], *(f"{level[name]:,}" for name in columns)) for level in levels]
    if rows:
        table(("SKU", *columns), rows, right=columns)
    else:
        say("No stock: `conveyor stock set SKU QUANTITY`.")


COMMANDS: tuple[click.Command, ...] = (stock,)
