"""The flows beside the shop's, in the order in which they are shown."""

from __future__ import annotations

from conveyor.app.addition import Addition
from conveyor.app.food import Food
from conveyor.app.renewal import Renewal
from conveyor.app.travel import Travel

ADDITIONS: tuple[type[Addition], ...] = (Food, Travel, Renewal)
