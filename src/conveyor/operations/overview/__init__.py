"""What somebody on call sees first: whether orders flow, where they stand, who works on them."""

from __future__ import annotations

from conveyor.operations.overview.lines import FlowLine, Station
from conveyor.operations.overview.open_orders import Standing
from conveyor.operations.overview.overviews import Overview, Overviews

__all__ = ["FlowLine", "Overview", "Overviews", "Standing", "Station"]
