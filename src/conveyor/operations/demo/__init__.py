"""The demonstration: all flows side by side, in a world in which much goes wrong."""

from conveyor.operations.demo.stage import IN_FLIGHT, ORDERS_FILE, Demonstration, demonstration
from conveyor.operations.demo.trickle import trickle
from conveyor.operations.demo.watching import orders_by_step

__all__ = [
    "IN_FLIGHT",
    "ORDERS_FILE",
    "Demonstration",
    "demonstration",
    "orders_by_step",
    "trickle",
]
