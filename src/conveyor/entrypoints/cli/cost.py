"""`conveyor cost`: what a flow costs a month on AWS, and what other ways would."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from conveyor.entrypoints.cli.options import json_option
from conveyor.entrypoints.cli.output import emit, say, table

if TYPE_CHECKING:
    from conveyor.operations.cost import Estimate

MOST_ORDERS_A_DAY = 100_000_000
"""Beyond that SQS has other prices."""
HEADINGS = {
    "functions": "functions",
    "workers": "workers",
    "naive": "naive",
    "step_functions": "Step Functions",
}


def _default_flow() -> str:
    from conveyor.commerce.orders.model import DEFAULT_FLOW

    return DEFAULT_FLOW


@click.command()
@click.option(
    "--orders-per-day",
    type=click.IntRange(0, MOST_ORDERS_A_DAY),
    required=True,
    metavar="N",
    help="How many orders come on a day.",
)
@click.option(
    "--flow",
    default=_default_flow,
    show_default="that of an order which names none",
    metavar="NAME",
    help="Whose orders.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show each line's arithmetic, and the prices.")
@json_option
def cost(orders_per_day: int, flow: str, *, verbose: bool, as_json: bool) -> None:
    """Say what a flow costs a month on AWS.

    In US dollars at list prices: as Lambda functions, as workers on Fargate, the naive way (five
    messages every ten seconds, each sent and deleted alone), and by Step Functions. What an order
    asks for was measured; what is assumed is said.
    """
    from conveyor.operations.cost import estimate, measured
    from conveyor.settings import Settings
    from conveyor.system.installation import installation

    if flow not in (known := measured().flows):
        raise click.BadParameter(f"{flow!r} was not measured; there are {', '.join(known)}")
    installed = installation(Settings())
    newest = max((it for it in installed.flows if it.name == flow), key=lambda it: it.version)
    estimated = estimate(newest, installed.queues, orders_per_day)
    emit(_as_json(estimated), as_json=as_json, show=lambda _: _show(estimated, verbose=verbose))


def _as_json(estimated: Estimate) -> dict[str, Any]:
    orders = estimated.orders_a_month
    return {
        "flow": estimated.flow,
        "orders_per_day": estimated.orders_a_day,
        "orders_per_month": orders,
        "currency": "USD",
        "region": estimated.prices.region,
        "prices_as_of": estimated.prices.as_of,
        "measured_at": estimated.measured.measured_at,
        "per_order": asdict(estimated.each),
        "ways": [
            {
                "name": way.name,
                "total": way.total,
                "per_order": way.total / orders if orders else None,
                "lines": [
                    {
                        "name": line.name,
                        "cost": line.cost,
                        "items": [asdict(it) | {"cost": it.cost} for it in line.items],
                    }
                    for line in way.lines
                ],
            }
            for way in estimated.ways
        ],
        "assumptions": list(estimated.assumptions),
        "prices": [asdict(it) for it in estimated.prices.prices.values()],
    }


def _show(estimated: Estimate, *, verbose: bool) -> None:
    ways = estimated.ways
    headings = [HEADINGS[way.name] for way in ways]
    rows = [
        (line.name, *(f"{way.lines[at].cost:,.2f}" for way in ways))
        for at, line in enumerate(ways[0].lines)
    ]
    rows.append(("total", *(f"{way.total:,.2f}" for way in ways)))
    if orders := estimated.orders_a_month:
        rows.append(("a thousand orders", *(f"{way.total / orders * 1000:,.4f}" for way in ways)))
    prices = estimated.prices
    say(
        f"{estimated.orders_a_day:,} orders of {estimated.flow} a day, US dollars a month, list "
        f"prices of {prices.as_of} in {prices.region}:"
    )
    table(("", *headings), rows, right=headings)
    _show_measured(estimated)
    if verbose:
        _show_arithmetic(estimated)
    say("Assumed:")
    for it in estimated.assumptions:
        say(f"  - {it}")
    if not verbose:
        say("-v shows the arithmetic of each line, and where each price is from.")


def _show_measured(estimated: Estimate) -> None:
    each = estimated.each
    say(
        f"Measured ({estimated.measured.measured_at}, `{estimated.measured.command}`): an order "
        f"has {each.messages:.2f} messages, {each.calls:.2f} calls to providers, and at this rate "
        f"{each.requests:.2f} requests, with {each.batch:.2f} messages in each."
    )


def _show_arithmetic(estimated: Estimate) -> None:
    for way in estimated.ways:
        say(f"{HEADINGS[way.name]}:")
        for line in way.lines:
            for item in line.items:
                say(f"  {line.name}, {item.arithmetic}")
    say("Prices:")
    for price in estimated.prices.prices.values():
        seen = {"page": "seen there", "aws": f"as in {price.where}"}.get(
            price.seen, f"not seen there, but told by {price.where}"
        )
        say(f"  {price.name}: {price.source} ({seen})")
