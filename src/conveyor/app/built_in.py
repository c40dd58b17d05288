"""The flows that ship with Conveyor, in the order in which they are shown; each a line."""

from __future__ import annotations

from conveyor.app import commerce, food, renewal, shop, travel
from conveyor.extension import Extension

BUILT_IN: tuple[Extension, ...] = (
    commerce.EXTENSION,
    shop.EXTENSION,
    food.EXTENSION,
    travel.EXTENSION,
    renewal.EXTENSION,
)
