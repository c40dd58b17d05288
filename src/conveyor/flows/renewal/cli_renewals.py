"""`conveyor renewals`: charging what is due."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.options import json_option, limit_option, run, why_option, with_target
from conveyor.entrypoints.cli.output import emit, money, note, say, table

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target

PATH = "/v1/renewals"
RENEWALS_A_REQUEST = 2_000
ALL = 100
"""Of a hundred."""

per_cent_option = click.option(
    "--per-cent",
    type=click.FloatRange(0, 100, min_open=True),
    default=100.0,
    show_default=True,
    help="Only the first so many per cent of all subscriptions, always the same ones.",
)


@click.group()
def renewals() -> None:
    """Charge the subscriptions that are due.

    A running system does so by itself, every CONVEYOR_RENEWAL_SCAN_SECONDS (60; 0: never). To
    try something new on a few: pause, resume --per-cent 1, look at status, resume.
    """


@renewals.command()
@per_cent_option
@limit_option
@with_target
@json_option
def due(per_cent: float, limit: int, target: Target, *, as_json: bool) -> None:
    """Say what a run would start now, and what it comes to."""
    found = run(_get(target, f"{PATH}/due", per_cent=per_cent, limit=limit))
    emit(found, as_json=as_json, show=_show_due)


@renewals.command("run")
@per_cent_option
@click.option("--dry", is_flag=True, help="Only count.")
@click.option(
    "--catch-up",
    is_flag=True,
    help="Also one period of each whose next period is practically over.",
)
@with_target
@json_option
def run_(per_cent: float, target: Target, *, dry: bool, catch_up: bool, as_json: bool) -> None:
    """Start whatever is due, page by page; broken off, run it again."""
    asked = {"per_cent": per_cent, "limit": RENEWALS_A_REQUEST, "dry": dry, "catch_up": catch_up}
    done = run(_run(target, asked))
    emit(done, as_json=as_json, show=_show_run)


@renewals.command()
@why_option
@with_target
@json_option
def pause(why: str, target: Target, *, as_json: bool) -> None:
    """Start no more renewals; those that are started go on."""
    decided = run(_post(target, f"{PATH}/pause", None, why))
    emit(decided, as_json=as_json, show=_show_control)


@renewals.command()
@per_cent_option
@click.option(
    "--per-second",
    type=click.FloatRange(0, min_open=True),
    help="No more than so many a second, as the provider allows; default: no limit.",
)
@why_option
@with_target
@json_option
def resume(
    per_cent: float, per_second: float | None, why: str, target: Target, *, as_json: bool
) -> None:
    """Let renewals start: all or the first per cent, and how fast."""
    body = {"per_cent": per_cent, "per_second": per_second}
    decided = run(_post(target, f"{PATH}/resume", body, why))
    emit(decided, as_json=as_json, show=_show_control)


@renewals.command()
@with_target
@json_option
def status(target: Target, *, as_json: bool) -> None:
    """Show how renewals stand."""
    emit(run(_get(target, PATH)), as_json=as_json, show=_show_status)


async def _get(target: Target, path: str, **query: Json) -> Json:
    async with target.client() as client:
        return await client.get(path, **query)


async def _post(target: Target, path: str, body: Mapping[str, Json] | None, why: str) -> Json:
    async with target.client() as client:
        return await client.post(path, body, why=why)


async def _run(target: Target, body: dict[str, Any]) -> dict[str, Any]:
    total, dry = {"started": 0, "ended": 0}, body["dry"]
    async with target.client(moves=not dry) as client:
        while True:
            done: dict[str, Any] = await client.post(f"{PATH}/run", body)
            total = {name: total[name] + done[name] for name in total}
            if dry or done["paused"] or not done["more"]:
                return {**total, "paused": done["paused"], "due": done["due"]}
            body = {**body, "run": done["run"]}
            note(f"{total['started']:,} started")
            await asyncio.sleep(done["wait_seconds"])


def _amounts(amounts: Mapping[str, int]) -> str:
    return ", ".join(money(amount, currency) for currency, amount in amounts.items())


def _show_due(found: Mapping[str, Any]) -> None:
    _show_behind(found)
    if not found["due"]:
        say("Nothing is due.")
        return
    say(f"{found['due']:,} are due: {_amounts(found['amounts'])}.")
    rows = [(one["id"], one["customer"], one["plan"], one["due_at"]) for one in found["first"]]
    table(("subscription", "customer", "plan", "due since"), rows)


def _show_behind(found: Mapping[str, Any]) -> None:
    if found["behind"]:
        say(f"{found['behind']:,} are behind: only `conveyor renewals run --catch-up` takes them.")


def _show_run(done: Mapping[str, Any]) -> None:
    if done["due"] is not None:
        say(f"{done['due']:,} would be started.")
    else:
        ended = f", {done['ended']:,} ended with their period" if done["ended"] else ""
        say(f"{done['started']:,} renewals are started{ended}.")
    if done["paused"]:
        say("Renewals are paused: `conveyor renewals resume`.")


def _show_control(decided: Mapping[str, Any]) -> None:
    if decided["paused"]:
        say("Renewals are paused.")
        return
    which = "All" if decided["per_cent"] == ALL else f"The first {decided['per_cent']:g} per cent"
    pace = decided["per_second"]
    say(f"{which} are renewed{f', at most {pace:g} a second' if pace else ''}.")


def _show_status(found: Mapping[str, Any]) -> None:
    _show_control(found)
    amounts = f": {_amounts(found['amounts'])}" if found["due"] else ""
    say(f"{found['due']:,} are due{amounts}.")
    _show_behind(found)
    for what in ("subscriptions", "renewals"):
        counts = (f"{count:,} {name.replace('_', ' ')}" for name, count in found[what].items())
        say(f"{what.capitalize()}: {', '.join(counts) or 'none'}.")
