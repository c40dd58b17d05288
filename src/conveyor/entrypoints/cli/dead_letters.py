"""`conveyor dead-letters`: what waits for an operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.options import an_id, json_option, limit_option, run, with_target
from conveyor.entrypoints.cli.output import emit, money, say, table
from conveyor.entrypoints.cli.pages import note_cut

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target

BODY_SHOWN = 80


@click.group("dead-letters")
def dead_letters() -> None:
    """Look after what waits for an operator."""


@dead_letters.command("list")
@limit_option
@with_target
@json_option
def list_(limit: int, target: Target, *, as_json: bool) -> None:
    """List parked orders, and poison in the dead-letter queues, with the cause of each."""
    found = run(_get(target, "/v1/dead-letters", limit=limit))
    emit(found, as_json=as_json, show=_show_list)
    if found["next"]:
        note_cut(limit)


@dead_letters.command()
@click.argument("letter", callback=an_id, metavar="ORDER|MESSAGE")
@with_target
@json_option
def show(letter: str, target: Target, *, as_json: bool) -> None:
    """Show all that is known of one: attempts, traceback, what undoing it would do."""
    found = run(_get(target, f"/v1/dead-letters/{letter}"))
    emit(found, as_json=as_json, show=_show)


@dead_letters.command()
@click.argument("letter", callback=an_id, metavar="ORDER|MESSAGE")
@with_target
@json_option
def redrive(letter: str, target: Target, *, as_json: bool) -> None:
    """Let it try again: the order its step, the message its queue."""
    _decide(target, letter, "redrive", None, as_json=as_json)


@dead_letters.command()
@click.argument("letter", callback=an_id, metavar="ORDER")
@click.option("--reason", required=True, help="Why; kept in the order's story.")
@with_target
@json_option
def compensate(letter: str, reason: str, target: Target, *, as_json: bool) -> None:
    """Undo a parked order, and give the money back."""
    _decide(target, letter, "compensate", {"reason": reason}, as_json=as_json)


@dead_letters.command()
@click.argument("letter", callback=an_id, metavar="ORDER|MESSAGE")
@click.option("--reason", required=True, help="Why; kept in the order's story.")
@with_target
@json_option
def discard(letter: str, reason: str, target: Target, *, as_json: bool) -> None:
    """Give it up for good; refused while an order has anything left to undo.

    What was delivered and not paid for is written off.
    """
    _decide(target, letter, "discard", {"reason": reason}, as_json=as_json)


def _decide(
    target: Target, letter: str, what: str, body: Mapping[str, str] | None, *, as_json: bool
) -> None:
    decided = run(_post(target, f"/v1/dead-letters/{letter}/{what}", body))
    emit(decided, as_json=as_json, show=_show_decided)


async def _get(target: Target, path: str, **query: Json) -> Json:
    async with target.client() as client:
        return await client.get(path, **query)


async def _post(target: Target, path: str, body: Mapping[str, str] | None) -> Json:
    async with target.client(moves=True) as client:
        return await client.post(path, body)


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
