"""API keys: made, listed, found and revoked, each with who did it."""

from __future__ import annotations

from collections.abc import Collection

from conveyor.access import store
from conveyor.access.model import ApiKey, Token
from conveyor.core.actor import Actor
from conveyor.core.engine import Engine
from conveyor.core.operator_actions import note
from conveyor.core.step import Now
from conveyor.core.transaction import Tx
from conveyor.operations.noted_changes import changed


async def keys_of(engine: Engine, merchant: str | None) -> list[ApiKey]:
    """List the keys of a merchant, or of all, oldest first, the revoked ones among them."""
    return await engine.database.read(lambda tx: store.listing(tx, merchant))


async def find_key(engine: Engine, key_id: str) -> ApiKey | None:
    """Give a key, revoked or not."""
    return await engine.database.read(lambda tx: store.find(tx, key_id))


async def create_key(
    engine: Engine,
    token: Token,
    by: Actor,
    *,
    merchant: str,
    scopes: Collection[str],
    subject: str,
    label: str,
    now: Now,
    expires_at: int | None,
) -> tuple[ApiKey, str]:
    """Make a key; gives it and its text, which is kept nowhere: show it once."""

    def create(tx: Tx) -> tuple[ApiKey, str]:
        key, text = store.create(
            tx,
            token,
            merchant=merchant,
            scopes=scopes,
            subject=subject,
            label=label,
            now=now,
            expires_at=expires_at,
        )
        said = {"scopes": list(key.scopes), "merchant": merchant, "label": label}
        note(tx, by, "keys.create", now.ms, subject=key.id, detail=said)
        return key, text

    return await engine.database.run(create)


async def create_first_key(
    engine: Engine, token: Token, *, merchant: str, scopes: Collection[str], label: str
) -> str:
    """Make a key if there is none; gives its text, or ''."""
    now = engine.now()

    def make(tx: Tx) -> str:
        if store.listing(tx, None):
            return ""
        _, text = store.create(tx, token, merchant=merchant, scopes=scopes, label=label, now=now)
        return text

    return await engine.database.run(make)


async def revoke_key(engine: Engine, key_id: str, merchant: str | None, by: Actor) -> None:
    """Revoke a key; with a merchant, only if it is theirs."""
    now = engine.now()
    await changed(
        engine,
        by,
        "keys.revoke",
        lambda tx: store.revoke(tx, key_id, merchant, now),
        subject=key_id,
    )
