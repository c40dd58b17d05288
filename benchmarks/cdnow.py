"""Orders to measure with: the purchases of CDNOW customers, over again when more are wanted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path

import orjson

from conveyor.flows.shop.cdnow import Purchase, order_body, packaged_purchases, read_purchases

ENOUGH = 1_000_000_000
"""Units in stock, so that nothing is ever sold out."""


@dataclass(frozen=True)
class Orders:
    """A file for `conveyor replay`, and what must come of it; money in minor units."""

    path: Path
    count: int
    total: int
    units: int


def write_orders(path: Path, wanted: int, source: Path | None = None, *, first: int = 0) -> Orders:
    """Write that many orders; `source` is a whole CDNOW file, else the thousand in the package.

    `first` numbers the orders on from there: files with another one have other idempotency keys.
    """
    chosen = list(islice(_endless(_purchases(source), first), wanted))
    with path.open("wb") as file:
        file.writelines(
            orjson.dumps(order_body(purchase), option=orjson.OPT_APPEND_NEWLINE)
            for purchase in chosen
        )
    total, units = sum(it.total for it in chosen), sum(it.quantity for it in chosen)
    return Orders(path, len(chosen), total, units)


def bodies(wanted: int) -> list[bytes]:
    """Give that many orders as the API takes them."""
    chosen = islice(_endless(packaged_purchases(), 0), wanted)
    return [orjson.dumps(order_body(purchase)) for purchase in chosen]


def _purchases(source: Path | None) -> list[Purchase]:
    if source is None:
        return packaged_purchases()
    with source.open(encoding="utf-8", newline="") as lines:
        return list(read_purchases(lines))


def _endless(purchases: Sequence[Purchase], first: int) -> Iterator[Purchase]:
    for number in count(first):
        yield replace(purchases[number % len(purchases)], number=number + 1)
