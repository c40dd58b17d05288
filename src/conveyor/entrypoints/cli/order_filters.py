"""The filter of orders as options, and as `--where NAME=VALUE` where others have those names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from conveyor.commerce.orders.order_filter import NAMES
from conveyor.core.order_status import OrderStatus

F = TypeVar("F", bound=Callable[..., Any])

A_TIME = "2026-01-31T12:00:00Z"
STATUSES = click.Choice([*map(str, OrderStatus)])
OPTIONS: Mapping[str, dict[str, Any]] = {
    "id": {"metavar": "ID", "help": "Only the order of this id."},
    "reference": {"metavar": "TEXT", "help": "Only orders with exactly this reference."},
    "customer": {"metavar": "ID", "help": "Only this customer's orders."},
    "email": {"metavar": "ADDRESS", "help": "Only of customers with this e-mail address."},
    "sku": {"metavar": "SKU", "help": "Only orders with an item of this SKU."},
    "status": {"type": STATUSES, "help": "Only these."},
    "flow": {"metavar": "NAME", "help": "Only orders of this flow."},
    "step": {"metavar": "NAME", "help": "Only orders that are owed, or await, this step."},
    "reason": {
        "metavar": "TEXT",
        "help": "Only those refused, cancelled, refunded or turned back for it.",
    },
    "placed_after": {"metavar": "TIME", "help": f"Only from then on, such as {A_TIME}."},
    "placed_before": {"metavar": "TIME", "help": "Only until then."},
    "settled_after": {"metavar": "TIME", "help": "Only what came to its end from then on."},
    "settled_before": {"metavar": "TIME", "help": "Only what came to its end until then."},
}
"""By the names of the filter, but for `merchant`, which is an option of every command."""


def filter_options(function: F) -> F:
    """Add an option for each thing that orders can be looked for by."""
    for name, more in reversed(list(OPTIONS.items())):
        function = click.option(f"--{name.replace('_', '-')}", name, **more)(function)
    return function


def _where(
    _context: click.Context, param: click.Parameter, pairs: tuple[str, ...]
) -> dict[str, str]:
    given: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in NAMES:
            raise click.BadParameter(
                f"{pair!r} is not NAME=VALUE, with one of the names {', '.join(NAMES)}."
            )
        if name in given:
            raise click.BadParameter(f"{name} is there twice: an order must match all.")
        given[name] = STATUSES.convert(value, param, None) if name == "status" else value
    return given


where_option = click.option(
    "--where",
    multiple=True,
    callback=_where,
    metavar="NAME=VALUE",
    help="All orders that match, instead of one; may be repeated, with the names of the options "
    "of `orders list`: --where status=parked --where flow=shop",
)
