"""What every request may need, and who is asking."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.security import HTTPBearer

from conveyor.access.access import Access
from conveyor.access.model import (
    ANSWER,
    AUDIT,
    KEYS,
    LOCAL_ID,
    OPERATE,
    PLACE,
    READ,
    RESTAURANT,
    RIDER,
    Grant,
    LocalKey,
    Token,
)
from conveyor.commerce.orders.model import SingleLine
from conveyor.core.actor import COMMAND_LINE, PERSON_HEADER, Actor
from conveyor.core.printable import printable
from conveyor.core.untyped import Foreign
from conveyor.entrypoints.http.addresses import counted_as
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.problems import ProblemError, invalid
from conveyor.entrypoints.http.rates import Rates
from conveyor.entrypoints.http.readiness import Readiness
from conveyor.operations.audits import Audits
from conveyor.operations.overview import Overviews
from conveyor.operations.status import Statuses
from conveyor.operations.summary import Summaries
from conveyor.system.composition import App

BEARER = "apiKey"
MOST_OF_A_NAME = 200
_scheme = HTTPBearer(
    scheme_name=BEARER,
    bearerFormat="cvy_...",
    description="An API key, made with `conveyor keys create`.",
    auto_error=False,
)
_NO_KEY = "Send an API key: `Authorization: Bearer cvy_...`."
_UNKNOWN = "This API key is unknown, revoked or expired."
_CHALLENGE = {"www-authenticate": 'Bearer realm="conveyor"'}


@dataclass(frozen=True, slots=True)
class Api:
    """The system behind the API."""

    app: App
    access: Access
    summaries: Summaries
    audits: Audits
    readiness: Readiness
    token: Token
    rates: Rates
    overviews: Overviews
    statuses: Statuses

    @classmethod
    def over(cls, app: App, local: LocalKey | None, token: Token) -> Api:
        """Put it over an open system.

        `local` is the key of whoever owns the data directory, `token` the source of new keys.
        """
        engine = app.engine
        overviews = Overviews(engine)
        return cls(
            app=app,
            access=Access(engine.database, engine.ambient, local),
            summaries=Summaries(engine.database, engine.ambient, app.parts.replica),
            audits=Audits(app),
            readiness=Readiness(engine),
            token=token,
            rates=Rates(app.settings, engine.ambient),
            overviews=overviews,
            statuses=Statuses(app, overviews),
        )


async def api_of(request: Request) -> Api:
    """Give the system that this application was made for."""
    api: Api = request.app.state.api
    return api


def key_text(request: Request) -> str:
    """Give the key as it was sent; '' for none."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if kind.lower() == "bearer" else ""


async def authorize(request: Request, *scopes: str) -> Grant:
    """Give what the request's key opens. Raises `ProblemError` without one of these scopes."""
    grant = await _grant_of(request)
    if not grant.allows(scopes):
        detail = f"This API key lacks the scope {' or '.join(scopes)}."
        raise ProblemError(Code.FORBIDDEN, detail)
    return grant


async def _grant_of(request: Request) -> Grant:
    api: Api = request.app.state.api
    text = key_text(request)
    address = counted_as(request.client.host) if request.client else ""
    if (too_often := api.rates.tried_too_often(address)) and not api.access.has_seen(text):
        raise too_often
    grant = request.state.grant = await api.access.grant_of(text) if text else None
    if grant is None:
        api.rates.failed(address)
        detail = _UNKNOWN if text else _NO_KEY
        raise ProblemError(Code.UNAUTHENTICATED, detail, headers=_CHALLENGE)
    api.rates.request(grant.key_id)
    return grant


def key_with(*scopes: str) -> Foreign:
    """Give what asks for a key with one of these scopes, for use in an `Annotated[Grant, ...]`.

    The OpenAPI document tells them (see `documentation`).
    """

    async def check(request: Request, _: Annotated[object, Security(_scheme)]) -> Grant:
        return await authorize(request, *scopes)

    return Security(check, scopes=scopes)


async def _granted(request: Request) -> Grant:
    grant: Grant | None = request.state.grant  # asked for before, by the operation itself
    assert grant is not None  # noqa: S101 - else it was answered
    return grant


TheApi = Annotated[Api, Depends(api_of)]
Placer = Annotated[Grant, key_with(PLACE)]
Reader = Annotated[Grant, key_with(READ, OPERATE)]
Canceller = Annotated[Grant, key_with(PLACE, OPERATE)]
Operator = Annotated[Grant, key_with(OPERATE)]
Answerer = Annotated[Grant, key_with(OPERATE, ANSWER)]
KeyKeeper = Annotated[Grant, key_with(KEYS)]
Auditor = Annotated[Grant, key_with(AUDIT)]
Cook = Annotated[Grant, key_with(RESTAURANT)]
Courier = Annotated[Grant, key_with(RIDER)]


async def known_query(request: Request) -> None:
    """Raise `ProblemError` for a parameter that the operation does not have.

    One that is misspelt would else be answered as if it had not been there: with everything.
    """
    if not request.query_params:
        return
    takes = set(_query_of(request.scope["route"].dependant))
    for name in request.query_params:
        if name not in takes:
            known = f"one of {', '.join(sorted(takes))}" if takes else "none"
            raise invalid(name, f"is no parameter of this operation, which takes {known}")


def _query_of(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for further in dependant.dependencies:
        yield from _query_of(further)


async def acting(
    request: Request,
    grant: Annotated[Grant, Depends(_granted)],
    why: Annotated[
        SingleLine | None, Query(description="Why; kept in the log of what operators did.")
    ] = None,
) -> Actor:
    """Give who acts, from where and why.

    A command line that owns the data directory says which user of the machine it is; whoever has
    only an API key is known by that.
    """
    address = request.client.host if request.client else ""
    person = printable(request.headers.get(PERSON_HEADER, ""))[:MOST_OF_A_NAME]
    if person and grant.key_id == LOCAL_ID:
        address = COMMAND_LINE
    else:
        person = ""
    return Actor(grant.key_id, grant.label, person, address, grant.merchant, why or "")


Acting = Annotated[Actor, Depends(acting)]


def require_subject(grant: Grant, subject: str) -> None:
    """Raise `ProblemError` when the key speaks for another restaurant or rider."""
    if not grant.speaks_for(subject):
        raise ProblemError(Code.FORBIDDEN, f"This API key does not speak for {subject}.")
