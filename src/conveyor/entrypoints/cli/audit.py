"""`conveyor audit`: checks the invariants of the design."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from conveyor.entrypoints.cli.errors import PROBLEM
from conveyor.entrypoints.cli.options import json_option, run, with_target
from conveyor.entrypoints.cli.output import counted, emit, money, say, table

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target

UNITS = ("received", "available", "reserved", "sold")


@click.command()
@with_target
@json_option
def audit(target: Target, *, as_json: bool) -> None:
    """Check that nothing was lost or doubled.

    Nor oversold, nor charged wrongly. Reads the whole database and the simulated provider's own
    ledger, also while orders are moving. Exit code 1 on any violation.
    """
    report = run(_audit(target))
    emit(report, as_json=as_json, show=show_audit)
    if not report["clean"]:
        raise click.exceptions.Exit(PROBLEM)


async def _audit(target: Target) -> dict[str, Any]:
    async with target.client() as client:
        report: dict[str, Any] = await client.get("/v1/audit")
        return report


def show_audit(report: Mapping[str, Any]) -> None:
    """Print a report for people; the numbers are those of the invariants in the design."""
    rows = [
        (
            check["invariant"],
            check["says"],
            f"{check['examined']:,}",
            f"{check['violations']:,}" if check["violations"] else "ok",
        )
        for check in report["checks"]
    ]
    table(("", "invariant", "checked", "violations"), rows, right=("", "checked", "violations"))
    for check in report["checks"]:
        for line in _figures(check["figures"]):
            say(f"  {line}")
    for check in report["checks"]:
        if check["violations"]:
            say(f"  {check['name']}: {', '.join(check['examples'])}")
    say(audit_in_a_line(report))


def audit_in_a_line(report: Mapping[str, Any]) -> str:
    """Say what an audit comes to."""
    orders, violations = report["orders"], report["violations"]
    said = "every invariant holds" if report["clean"] else counted(violations, "violation")
    return f"{counted(orders, 'order')}: {said}."


def _figures(figures: Mapping[str, Any]) -> list[str]:
    if all(unit in figures for unit in UNITS):
        return ["stock: " + ", ".join(f"{figures[unit]:,} {unit}" for unit in UNITS)]
    lines = []
    for name, value in figures.items():
        if isinstance(value, dict):
            sides = (
                f"{side} captured {money(sums['captured'], name)}, refunded "
                f"{money(sums['refunded'], name)}"
                for side, sums in value.items()
            )
            lines.append("; ".join(sides))
        else:
            lines.append(f"{name.replace('_', ' ')}: {_figure(value)}")
    return lines


def _figure(value: str | int | list[str]) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return value if isinstance(value, str) else f"{value:,}"
