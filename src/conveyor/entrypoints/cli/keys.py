"""`conveyor keys`: who may call the API, and what for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from conveyor.access.model import SCOPES
from conveyor.core.untyped import Json
from conveyor.entrypoints.cli.options import an_id, json_option, run, why_option, with_target
from conveyor.entrypoints.cli.output import emit, note, say, table

if TYPE_CHECKING:
    from conveyor.entrypoints.cli.target import Target


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command()
@click.option(
    "--scopes",
    default="place,read",
    show_default=True,
    metavar="SCOPE,...",
    help="Of place, read, operate (the console, stock, dead letters, subscriptions), restaurant, "
    "rider, answer (steps that await one), keys (make others) and audit (the whole system).",
)
@click.option("--subject", default="", help="The one restaurant or rider that it speaks for.")
@click.option("--label", default="", help="What it is for.")
@click.option("--expires-in-days", type=click.IntRange(1), help="How long it opens anything.")
@with_target
@json_option
def create(
    scopes: str,
    subject: str,
    label: str,
    expires_in_days: int | None,
    target: Target,
    *,
    as_json: bool,
) -> None:
    """Make an API key for --merchant and show it, this once."""
    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    if not wanted or not set(wanted) <= set(SCOPES):
        _require_known(wanted)
    facts = {
        "scopes": wanted,
        "subject": subject or None,
        "label": label,
        "expires_in_days": expires_in_days,
    }
    key = run(_create(target, facts))
    emit(key, as_json=as_json, show=_show_new)


@keys.command("list")
@with_target
@json_option
def list_(target: Target, *, as_json: bool) -> None:
    """List the keys, revoked ones too; their secrets are kept nowhere."""
    emit(run(_list(target)), as_json=as_json, show=_show)


@keys.command()
@click.argument("key_id", callback=an_id, metavar="KEY")
@why_option
@with_target
@json_option
def revoke(key_id: str, why: str, target: Target, *, as_json: bool) -> None:
    """Revoke a key by its id; it stops working within seconds."""
    run(_revoke(target, key_id, why))
    emit({"revoked": key_id}, as_json=as_json, show=lambda _: say("Revoked."))


def _require_known(wanted: Sequence[str]) -> None:
    """See that there are some, and that extensions bring those that are not ours."""
    from conveyor.settings import Settings
    from conveyor.system.installation import installation

    known = installation(Settings()).scopes
    unknown = sorted(set(wanted) - set(known))
    if unknown or not wanted:
        raise click.BadParameter(
            f"{', '.join(unknown) or 'none'}; there are {', '.join(known)}", param_hint="--scopes"
        )


async def _create(target: Target, facts: Mapping[str, Json]) -> Json:
    async with target.client(begins=True) as client:
        return await client.post("/v1/keys", {**facts, "merchant": target.merchant or None})


async def _list(target: Target) -> Json:
    async with target.client() as client:
        return (await client.get("/v1/keys"))["keys"]


async def _revoke(target: Target, key_id: str, why: str) -> None:
    async with target.client() as client:
        await client.delete(f"/v1/keys/{key_id}", why=why)


def _show_new(key: Mapping[str, Any]) -> None:
    note(f"Key {key['id']} of {key['merchant']}: {', '.join(key['scopes'])}. Shown this once:")
    say(key["key"])


def _show(found: Iterable[Mapping[str, Any]]) -> None:
    rows = [
        (
            key["id"],
            key["merchant"],
            ", ".join(key["scopes"]),
            key["subject"],
            key["label"],
            key["created_at"],
            key["last_used_at"],
            key["expires_at"],
            key["revoked_at"],
        )
        for key in found
    ]
    columns = ("key", "merchant", "scopes", "subject", "label", "created")
    table((*columns, "last used", "expires", "revoked"), rows)
