"""API keys: made, listed and revoked with a key of the same merchant that has the scope `keys`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Depends, Path, Response

from conveyor.access.model import KEY_ID_PATTERN, ApiKey, Grant
from conveyor.core.rfc3339 import iso
from conveyor.core.step import Now
from conveyor.entrypoints.http.bodies import body_is, body_of
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import Acting, KeyKeeper, TheApi
from conveyor.entrypoints.http.described import BODY, changing, looking
from conveyor.entrypoints.http.key_schemas import KeyBody, Keys, KeyView, NewKey
from conveyor.entrypoints.http.problems import ProblemError, invalid, not_found
from conveyor.entrypoints.http.routing import ApiRouter
from conveyor.entrypoints.http.schemas import when
from conveyor.operations import keys

router = ApiRouter("/v1/keys", tags=["keys"], responses=looking())
DAY_MS = 86_400_000
_KEY_ID = re.compile(KEY_ID_PATTERN)

AnyId = Annotated[str, Path(json_schema_extra={"pattern": f"^{KEY_ID_PATTERN}$"})]


@router.get("")
async def list_keys(api: TheApi, grant: KeyKeeper) -> Keys:
    """List the keys of your merchant, the revoked ones among them."""
    found = await keys.keys_of(api.app.engine, grant.sees)
    return Keys(keys=[KeyView(**_facts(key)) for key in found])


@router.post(
    "",
    status_code=201,
    responses=changing(*BODY),
    openapi_extra=body_is(KeyBody, {"scopes": ["place", "read"], "label": "web shop"}),
)
async def create_key(
    api: TheApi, grant: KeyKeeper, by: Acting, body: Annotated[KeyBody, Depends(body_of(KeyBody))]
) -> NewKey:
    """Make a key that opens no more than yours; its text is shown this once and kept nowhere."""
    merchant, subject = body.merchant or grant.merchant, body.subject or ""
    engine = api.app.engine
    now = engine.now()
    expires_at = _expiry(body, grant, now)
    known = api.app.installed.scopes
    for at, scope in enumerate(body.scopes):
        if scope not in known:
            raise invalid(f"scopes.{at}", f"is {scope!r}, and there are {', '.join(known)}")
    if grant.sees not in {None, merchant}:
        raise ProblemError(Code.FORBIDDEN, "This API key makes keys for its own merchant only.")
    if beyond := list(grant.beyond(body.scopes, subject)):
        detail = f"This API key makes none that opens more than it does itself: {beyond[0]}."
        raise ProblemError(Code.FORBIDDEN, detail)
    key, text = await keys.create_key(
        engine,
        api.token,
        by,
        merchant=merchant,
        scopes=body.scopes,
        subject=subject,
        label=body.label,
        now=now,
        expires_at=expires_at,
    )
    return NewKey(**_facts(key), key=text)


@router.delete("/{key_id}", status_code=204, responses=changing(Code.NOT_FOUND))
async def revoke_key(key_id: AnyId, api: TheApi, grant: KeyKeeper, by: Acting) -> Response:
    """Revoke a key that opens no more than yours: at once here, within seconds elsewhere."""
    if not _KEY_ID.fullmatch(key_id):
        raise not_found("key")
    key = await keys.find_key(api.app.engine, key_id)
    if key is None or grant.sees not in {None, key.merchant}:
        raise not_found("key")
    if any(grant.beyond(key.scopes, key.subject)):
        raise ProblemError(Code.FORBIDDEN, "That API key opens more than this one does.")
    await keys.revoke_key(api.app.engine, key_id, grant.sees, by)
    api.access.forget()
    return Response(status_code=204)


def _expiry(body: KeyBody, grant: Grant, now: Now) -> int | None:
    """Give when the new key expires: as was asked, and no later than the one that makes it."""
    wanted = now.ms + body.expires_in_days * DAY_MS if body.expires_in_days else None
    return min((at for at in (wanted, grant.expires_at) if at is not None), default=None)


def _facts(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "merchant": key.merchant,
        "scopes": list(key.scopes),
        "subject": key.subject or None,
        "label": key.label,
        "created_at": iso(key.created_at),
        "revoked_at": when(key.revoked_at),
        "expires_at": when(key.expires_at),
        "last_used_at": when(key.last_used_at),
    }
