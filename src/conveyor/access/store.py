"""The table of API keys: a hash of each, never the key."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from conveyor.access.model import SCOPES, ApiKey, Token, digest_of, new_key_text
from conveyor.core.step import Now
from conveyor.core.tables import metadata
from conveyor.core.transaction import Tx

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),  # SHA-256 of the whole text, hexadecimal
    sa.Column("merchant", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),  # with a space between
    sa.Column("subject", sa.Text, nullable=False),  # a restaurant or rider, '' for all of them
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("revoked_at", sa.BigInteger),
    sa.Column("expires_at", sa.BigInteger),
    sa.Column("last_used_at", sa.BigInteger),  # to the minute
)

_INSERT = sa.insert(api_keys)
_FIND = sa.select(api_keys).where(api_keys.c.id == sa.bindparam("of_id"))
_LIST = sa.select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
_REVOKE = (
    sa.update(api_keys)
    .where(api_keys.c.id == sa.bindparam("of_id"), api_keys.c.revoked_at.is_(None))
    .values(revoked_at=sa.bindparam("at"))
)
_USED = (
    sa.update(api_keys)
    .where(api_keys.c.id == sa.bindparam("of_id"))
    .values(last_used_at=sa.bindparam("at"))
)


def create(
    tx: Tx,
    token: Token,
    *,
    merchant: str,
    scopes: Collection[str],
    label: str,
    now: Now,
    subject: str = "",
    expires_at: int | None = None,
) -> tuple[ApiKey, str]:
    """Make a key; gives it and its text, which is kept nowhere: show it once."""
    key_id, text = new_key_text(token)
    ours = tuple(scope for scope in SCOPES if scope in scopes)
    ordered = (*ours, *sorted(set(scopes) - {*ours}))
    digest = digest_of(text)
    key = ApiKey(key_id, digest, merchant, ordered, subject, label, now.ms, expires_at=expires_at)
    tx.execute(_INSERT, asdict(key) | {"scopes": " ".join(key.scopes)})
    return key, text


def find(tx: Tx, key_id: str) -> ApiKey | None:
    """Give a key, revoked or not."""
    row = tx.execute(_FIND, {"of_id": key_id}).one_or_none()
    return _key(row) if row else None


def listing(tx: Tx, merchant: str | None) -> list[ApiKey]:
    """List the keys of a merchant, or of all, oldest first, the revoked ones among them."""
    query = _LIST if merchant is None else _LIST.where(api_keys.c.merchant == merchant)
    return [_key(row) for row in tx.execute(query)]


def revoke(tx: Tx, key_id: str, merchant: str | None, now: Now) -> bool:
    """Revoke a key; with a merchant, only if it is theirs. Gives whether there is such a key."""
    key = find(tx, key_id)
    if key is None or (merchant is not None and key.merchant != merchant):
        return False
    tx.execute(_REVOKE, {"of_id": key_id, "at": now.ms})
    return True


def note_use(tx: Tx, key_id: str, now_ms: int) -> None:
    """Write when a key was last used."""
    tx.execute(_USED, {"of_id": key_id, "at": now_ms})


def _key(row: Sequence[Any]) -> ApiKey:
    key_id, digest, merchant, scopes, *rest = row
    return ApiKey(key_id, digest, merchant, tuple(scopes.split()), *rest)
