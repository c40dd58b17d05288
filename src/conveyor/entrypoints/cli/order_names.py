"""An order as its user names it: by its id, or by the merchant's own reference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeGuard

import click

from conveyor.entrypoints.cli.errors import MisuseError, TroubleError

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target
    from conveyor.entrypoints.client import Client

NAMED = "ORDER is an id, or the reference of one order."
CANDIDATES = 10
"""Orders of one reference that are listed."""
_ID = re.compile("[0-9A-HJKMNP-TV-Z]{26}")
_MESSAGE_ID = re.compile("[0-9A-Za-z-]{1,100}")


def a_name(_context: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Turn away what can be no order's name."""
    if value is not None and not value.strip():
        raise click.BadParameter(f"{value!r} is no id and no reference.")
    return value


def is_one(order: str | None, where: Mapping[str, str]) -> TypeGuard[str]:
    """Whether one order is named, and not by `--where` which of them."""
    if (order is None) == (not where):
        raise click.UsageError("name one ORDER, or say with --where which of them.")
    return order is not None


def is_id(name: str) -> bool:
    """Whether it has the form of an order's id."""
    return _ID.fullmatch(name) is not None


async def id_of(client: Client, name: str, target: Target) -> str:
    """Give the id of the order of this id or reference.

    Raises `TroubleError` when there is none, `MisuseError` when there are several.
    """
    from conveyor.entrypoints.client import ApiError

    try:
        if is_id(name) and await _look(client, target, id=name):
            return name
        found = await _look(client, target, reference=name) or await _archived(client, name)
    except ApiError as error:
        # Whoever may place and cancel need not be allowed to look.
        if is_id(name) and error.status == HTTPStatus.FORBIDDEN:
            return name
        raise
    if len(found) == 1:
        return str(found[0]["id"])
    if found:
        raise MisuseError(_ambiguous(name, found))
    if is_id(name):
        return name  # the answer to whatever is asked of it says so
    raise TroubleError(f"No order has the id or the reference {name!r}.")


async def letter_of(client: Client, name: str, target: Target) -> str:
    """Give the id of an order, by its id or reference, or of a message in a dead-letter queue."""
    try:
        return await id_of(client, name, target)
    except MisuseError:
        raise
    except TroubleError:
        if _MESSAGE_ID.fullmatch(name):
            return name
        raise


def no_letter(name: str) -> TroubleError:
    """Say that nothing that waits for an operator has this name."""
    return TroubleError(
        f"{name!r} is neither an order's id or reference, nor the id of a message in a "
        "dead-letter queue.",
        "`conveyor dead-letters list` shows what waits for an operator.",
    )


async def _look(client: Client, target: Target, **by: str) -> list[Mapping[str, Any]]:
    page = await client.get(
        "/v1/orders", limit=CANDIDATES + 1, merchant=target.merchant or None, **by
    )
    found: list[Mapping[str, Any]] = page["orders"]
    return found


async def _archived(client: Client, reference: str) -> list[Mapping[str, Any]]:
    page = await client.get("/v1/archive/orders", reference=reference)
    found: list[Mapping[str, Any]] = page["orders"]
    return found


def _ambiguous(name: str, found: Iterable[Mapping[str, Any]]) -> str:
    lines = [f"  {it['id']}  {_said(it)}" for it in found]
    several = "more than" if len(lines) > CANDIDATES else "these"
    shown = f"{several} {min(len(lines), CANDIDATES)}"
    return "\n".join(
        [f"{shown} orders have the reference {name!r}; name one by its id:", *lines[:CANDIDATES]]
    )


def _said(order: Mapping[str, Any]) -> str:
    if "file" in order:
        return f"archived {order['archived_at']}"
    return f"{order['flow']}  {order['status']}  placed {order['placed_at']}"
