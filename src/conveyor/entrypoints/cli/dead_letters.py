"""`conveyor dead-letters`: what waits for an operator."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import click

from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.options import (
    json_option,
    limit_option,
    run,
    why_option,
    with_target,
)
from conveyor.entrypoints.cli.order_names import a_name, is_id, letter_of, no_letter
from conveyor.entrypoints.cli.output import emit, money, say, table
from conveyor.entrypoints.cli.pages import note_cut

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target

BODY_SHOWN = 80


@click.group("dead-letters")
def dead_letters() -> None:
    """Look after what waits for an operator.

    ORDER is an id, or the reference of one order; MESSAGE is the id of a message. Many orders at
    once: `conveyor orders redrive --where step=STEP`, or the console's page of dead letters.
    """


@dead_letters.command("list")
@limit_option
@with_target
@json_option
def list_(limit: int, target: Target, *, as_json: bool) -> None:
    """List parked orders, and poison in the dead-letter queues, with the cause of each."""
    found = run(_list(target, limit))
    emit(found, as_json=as_json, show=_show_list)
    if found["next"]:
        note_cut(limit)


@dead_letters.command()
@click.argument("letter", callback=a_name, metavar="ORDER|MESSAGE")
@with_target
@json_option
def show(letter: str, target: Target, *, as_json: bool) -> None:
    """Show all that is known of one: attempts, traceback, what undoing it would do."""
    found = run(_ask(target, letter, "GET", ""))
    emit(found, as_json=as_json, show=_show)


@dead_letters.command()
@click.argument("letter", callback=a_name, metavar="ORDER|MESSAGE")
@why_option
@with_target
@json_option
def redrive(letter: str, why: str, target: Target, *, as_json: bool) -> None:
    """Let it try again: the order its step, the message its queue."""
    _decide(target, letter, "redrive", None, as_json=as_json, why=why)


@dead_letters.command()
@click.argument("letter", callback=a_name, metavar="ORDER")
@click.option("--reason", required=True, help="Why; kept in the order's story.")
@with_target
@json_option
def compensate(letter: str, reason: str, target: Target, *, as_json: bool) -> None:
    """Undo a parked order, and give the money back."""
    _decide(target, letter, "compensate", {"reason": reason}, as_json=as_json)


@dead_letters.command()
@click.argument("letter", callback=a_name, metavar="ORDER|MESSAGE")
@click.option("--reason", required=True, help="Why; kept in the order's story.")
@with_target
@json_option
def discard(letter: str, reason: str, target: Target, *, as_json: bool) -> None:
    """Give it up for good; refused while an order has anything left to undo.

    What was delivered and not paid for is written off.
    """
    _decide(target, letter, "discard", {"reason": reason}, as_json=as_json)


@dead_letters.command()
@why_option
@with_target
@json_option
def drain(why: str, target: Target, *, as_json: bool) -> None:
    """Take messages out of the dead-letter queues into the database, up to 200 of each.

    A queue keeps nothing for longer than 14 days. On Amazon SQS workers of `orders` do so every
    five minutes. Each is kept as it is, until it is redriven or discarded.
    """
    drained = run(_drain(target, why))
    emit(drained, as_json=as_json, show=_show_drained)
    if any(it["failed"] for it in drained["queues"]):
        raise SystemExit(1)


def _decide(
    target: Target,
    letter: str,
    what: str,
    body: Mapping[str, str] | None,
    *,
    as_json: bool,
    why: str = "",
) -> None:
    decided = run(_ask(target, letter, "POST", f"/{what}", body, why=why))
    emit(decided, as_json=as_json, show=_show_decided)


async def _list(target: Target, limit: int) -> Json:
    async with target.client() as client:
        return await client.get("/v1/dead-letters", limit=limit)


async def _drain(target: Target, why: str) -> Json:
    async with target.client() as client:
        query = {"why": why} if why else None
        return (await client.send("POST", "/v1/dead-letters/drain", query=query))[0]


async def _ask(
    target: Target,
    letter: str,
    method: str,
    what: str,
    body: Mapping[str, str] | None = None,
    *,
    why: str = "",
) -> Json:
    from conveyor.entrypoints.client import ApiError

    async with target.client(moves=method != "GET") as client:
        letter_id = await letter_of(client, letter, target)
        path, query = f"/v1/dead-letters/{letter_id}{what}", {"why": why} if why else None
        try:
            return (await client.send(method, path, body, query=query))[0]
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND and not is_id(letter_id):
                raise no_letter(letter) from error
            raise


def _show_list(found: Mapping[str, Any]) -> None:
    if not any(found[what] for what in ("orders", "messages", "not_shown")):
        say("Nothing waits for an operator.")
    if found["orders"]:
        rows = [
            (
                order["id"],
                order["step"],
                order["cause"],
                order["attempts"],
                order["holds_back"] or "",
                _money(order["owed"]),
                _money(order["to_collect"]),
            )
            for order in found["orders"]
        ]
        columns = ("parked order", "step", "cause", "tries", "holds back", "owes", "to collect")
        table(columns, rows, right=("tries", "holds back"))
    if found["messages"]:
        letters = [
            (m["id"], m["queue"], m["cause"], m["body"][:BODY_SHOWN]) for m in found["messages"]
        ]
        table(("message", "queue", "cause", "body"), letters)
    for queue, count in found["not_shown"].items():
        say(f"{queue} has {count} more, not shown: decide about those that are, then look again.")


def _show_drained(drained: Mapping[str, Any]) -> None:
    done = [it for it in drained["queues"] if it["count"] or it["more"]]
    if not done:
        say("Nothing lies in the dead-letter queues.")
    for it in done:
        more = "; there may be more: drain again" if it["more"] and not it["failed"] else ""
        failed = f"; then it failed: {it['failed']}" if it["failed"] else ""
        say(f"{it['queue']}: {it['count']} drained{more}{failed}.")


def _money(sum_: Mapping[str, Any] | None) -> str:
    return money(sum_["amount"], sum_["currency"]) if sum_ else ""


def _show(letter: Mapping[str, Any]) -> None:
    rows = [
        (name.replace("_", " "), ", ".join(value) if isinstance(value, list) else value)
        for name, value in letter.items()
        if value and name not in {"kind", "traceback", "owed", "to_collect"}
    ]
    table(("", ""), rows)
    if letter.get("owed"):
        say(f"Its customer is still to get back {_money(letter['owed'])}.")
    if letter.get("to_collect"):
        say(f"Its customer is still to pay {_money(letter['to_collect'])}: it was delivered.")
    if letter.get("traceback"):
        say(letter["traceback"])


def _show_decided(decided: Mapping[str, Any]) -> None:
    steps = f"; still to run: {', '.join(decided['steps'])}" if decided["steps"] else ""
    say(f"{decided['kind'].capitalize()} {decided['id']} is {decided['did']}{steps}.")
    if decided.get("unless"):
        say(
            f"Its provider is asked first what became of {decided['unless']}. Should that have "
            "taken effect, nothing can undo it, and the order goes on."
        )
