"""`conveyor cost`: what a flow costs a month on AWS, three other ways beside it."""

from conveyor.operations.cost.estimate import Estimate, estimate
from conveyor.operations.cost.measured import measured

__all__ = ["Estimate", "estimate", "measured"]
