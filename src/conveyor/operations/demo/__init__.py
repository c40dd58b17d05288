"""The demonstration: all four flows side by side, in a world in which much goes wrong."""

from conveyor.operations.demo.stage import (
    IN_FLIGHT,
    ORDERS_FILE,
    conclude,
    demo_settings,
    may_run_in,
    set_up,
    write_orders,
)
from conveyor.operations.demo.watching import FLOWS, orders_by_step, worth_a_look

__all__ = [
    "FLOWS",
    "IN_FLIGHT",
    "ORDERS_FILE",
    "conclude",
    "demo_settings",
    "may_run_in",
    "orders_by_step",
    "set_up",
    "worth_a_look",
    "write_orders",
]
