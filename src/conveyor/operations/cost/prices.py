"""List prices of AWS, each with its source: `data/prices.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

FILE = files("conveyor") / "data" / "prices.toml"


@dataclass(frozen=True, slots=True)
class Price:
    """`price` dollars for `per` units, the first `free` of a month excepted.

    `free_with` names the price with which it shares what is free. `seen`: see the file.
    """

    name: str
    price: float
    per: float
    free: float
    source: str
    seen: str
    where: str
    free_with: str = ""


@dataclass(frozen=True, slots=True)
class PriceList:
    """All prices, in one region at one time."""

    region: str
    as_of: str
    prices: Mapping[str, Price]

    def __getitem__(self, name: str) -> Price:
        return self.prices[name]


@cache
def price_list() -> PriceList:
    """Read the file."""
    read: dict[str, Any] = tomllib.loads(FILE.read_text(encoding="utf-8"))
    prices = {name: Price(name, **it) for name, it in read.items() if isinstance(it, dict)}
    return PriceList(read["region"], read["as_of"], prices)
