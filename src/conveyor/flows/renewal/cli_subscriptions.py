"""`conveyor plans` and `conveyor subscriptions`: what is paid for again and again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO

import click

from conveyor.core.untyped import Foreign, Json
from conveyor.entrypoints.cli.options import json_option, limit_option, run, with_target
from conveyor.entrypoints.cli.output import emit, money, say, table
from conveyor.entrypoints.cli.pages import collect
from conveyor.flows.renewal.subscriptions.model import SubscriptionStatus

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target

ROWS_A_REQUEST = 5_000
PATH = "/v1/subscriptions"


@click.group()
def plans() -> None:
    """Make, change and list plans."""


@plans.command("set")
@click.argument("plan")
@click.argument("price", type=click.IntRange(0))
@click.argument("currency")
@click.option("--months", type=click.IntRange(1, 120), default=1, show_default=True)
@click.option("--trial-days", type=click.IntRange(0, 366), default=0, show_default=True)
@click.option("--grace-days", type=click.IntRange(0, 366), help="Of access after the paid period.")
@click.option("--retry-days", metavar="D,D,...", help="After the first decline; default: 1,3,5,7.")
@click.option(
    "--afterwards",
    type=click.Choice(["cancel", "suspend"]),
    default="cancel",
    show_default=True,
    help="How a subscription ends after the last retry.",
)
@with_target
@json_option
def set_plan(plan: str, target: Target, *, as_json: bool, **facts: Foreign) -> None:
    """Make a plan, or change it: PRICE in minor units of CURRENCY, from the next renewals on."""
    body = {name: value for name, value in facts.items() if value is not None}
    if "retry_days" in body:
        body["retry_days"] = _days(body["retry_days"])
    view = run(_put(target, f"/v1/plans/{plan}", body, begins=True))
    emit(view, as_json=as_json, show=lambda view: _show_plans([view]))


@plans.command("list")
@with_target
@json_option
def list_plans(target: Target, *, as_json: bool) -> None:
    """List the plans."""
    emit(run(_get(target, "/v1/plans"))["plans"], as_json=as_json, show=_show_plans)


@click.group()
def subscriptions() -> None:
    """Begin, look at, change and end subscriptions."""


@subscriptions.command()
@click.argument("subscription")
@click.option("--customer", required=True)
@click.option("--plan", required=True)
@click.option("--card", required=True, help="A payment method that the provider knows.")
@click.option("--zone", default="UTC", show_default=True, help="Its days are those of this zone.")
@click.option("--starts", default="", help="Wall-clock time or day; default: now.")
@click.option("--paid-until", default="", help="End of a period charged by another system.")
@with_target
@json_option
def add(subscription: str, target: Target, *, as_json: bool, **facts: str) -> None:
    """Begin a subscription; without a trial it is charged at once."""
    view = run(_post(target, PATH, {"id": subscription, **facts}))
    emit(view, as_json=as_json, show=lambda view: _show([view]))


@subscriptions.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@with_target
@json_option
def import_(file: TextIO, target: Target, *, as_json: bool) -> None:
    """Begin many: FILE is CSV with a header, or JSON lines; - reads stdin.

    The fields are id, customer, plan and card, and as you like zone, starts and paid_until. Those
    whose id is taken stay as they are, so that a file can be imported again.
    """
    done = run(_import(target, file))
    emit(
        done,
        as_json=as_json,
        show=lambda done: say(
            f"{done['added']:,} begun, {done['there_before']:,} were there before."
        ),
    )


@subscriptions.command("list")
@click.option("--status", type=click.Choice([*map(str, SubscriptionStatus)]))
@limit_option
@with_target
@json_option
def list_(status: str | None, limit: int, target: Target, *, as_json: bool) -> None:
    """List subscriptions by id."""
    found = run(collect(target, PATH, "subscriptions", limit, status=status))
    emit(found, as_json=as_json, show=_show)


@subscriptions.command()
@click.argument("subscription")
@with_target
@json_option
def show(subscription: str, target: Target, *, as_json: bool) -> None:
    """Show a subscription, and until when it is paid."""
    view = run(_get(target, f"{PATH}/{subscription}"))
    emit(view, as_json=as_json, show=lambda view: _show([view]))


@subscriptions.command()
@click.argument("subscription")
@click.argument("card")
@with_target
@json_option
def card(subscription: str, card: str, target: Target, *, as_json: bool) -> None:
    """Charge another card from now on; if it is past due, at once."""
    view = run(_put(target, f"{PATH}/{subscription}/card", {"card": card}))
    emit(view, as_json=as_json, show=lambda view: _show([view]))


@subscriptions.command()
@click.argument("subscription")
@click.argument("plan")
@with_target
@json_option
def plan(subscription: str, plan: str, target: Target, *, as_json: bool) -> None:
    """Go over to another plan with the next period."""
    view = run(_put(target, f"{PATH}/{subscription}/plan", {"plan": plan}))
    emit(view, as_json=as_json, show=lambda view: _show([view]))


@subscriptions.command()
@click.argument("subscription")
@with_target
@json_option
def cancel(subscription: str, target: Target, *, as_json: bool) -> None:
    """End it with the period that is paid; one that is past due, at once."""
    view = run(_post(target, f"{PATH}/{subscription}/cancel"))
    emit(view, as_json=as_json, show=lambda view: _show([view]))


async def _get(target: Target, path: str) -> Json:
    async with target.client() as client:
        return await client.get(path)


async def _put(
    target: Target, path: str, body: Mapping[str, Json], *, begins: bool = False
) -> Json:
    async with target.client(begins=begins, moves=True) as client:
        return await client.put(path, body)


async def _post(target: Target, path: str, body: Mapping[str, Json] | None = None) -> Json:
    async with target.client(moves=True) as client:
        return await client.post(path, body)


async def _import(target: Target, file: TextIO) -> dict[str, int]:
    from conveyor.flows.renewal.subscriptions.subscription_file import read_subscription_file

    done = {"added": 0, "there_before": 0}
    rows = (fields for _, fields in read_subscription_file(file))
    async with target.client() as client:
        while page := list(islice(rows, ROWS_A_REQUEST)):
            one = await client.post(f"{PATH}/import", {"subscriptions": page})
            done = {name: done[name] + one[name] for name in done}
    return done


def _days(text: str) -> list[int]:
    try:
        return [int(day) for day in text.split(",") if day.strip()]
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no list of days such as 1,3,5,7", param_hint="--retry-days"
        ) from None


def _show_plans(found: Iterable[Mapping[str, Any]]) -> None:
    rows = [
        (
            plan["id"],
            money(plan["price"], plan["currency"]),
            plan["months"],
            plan["trial_days"],
            ", ".join(map(str, plan["retry_days"])),
            plan["grace_days"],
            plan["afterwards"],
        )
        for plan in found
    ]
    columns = ("plan", "price", "months", "trial days", "retry days", "grace days", "afterwards")
    if rows:
        table(columns, rows, right=("price", "months", "trial days", "grace days"))
    else:
        say("No plans: `conveyor plans set PLAN PRICE CURRENCY`.")


def _show(found: Iterable[Mapping[str, Any]]) -> None:
    rows = [
        (
            one["id"],
            one["customer"],
            (one["next_plan"] and f"{one['plan']}, then {one['next_plan']}") or one["plan"],
            one["card"],
            _status(one),
            "yes" if one["access"] else "no",
            one["paid_until"],
        )
        for one in found
    ]
    if rows:
        table(("subscription", "customer", "plan", "card", "status", "access", "paid until"), rows)
    else:
        say("No subscriptions.")


def _status(one: Mapping[str, Any]) -> str:
    ending = ", ends with its period" if one["cancel_at_end"] and one["due_at"] else ""
    because = f" ({one['reason']})" if one["reason"] else ""
    return f"{one['status']}{ending}{because}"
