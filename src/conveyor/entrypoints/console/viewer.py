"""Who looks at the console: known by a session's cookie, and held to what the key behind it opens.

The cookie is sent by no other site's page (`SameSite=Strict`), and is read by no script. A change
is taken only from a form of ours: it comes from this origin, as the browser says, and with a token
that only the session's own pages hold.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from conveyor.access.model import OPERATE, READ, Grant
from conveyor.access.sessions import SESSION_MS, Sessions
from conveyor.core.actor import Actor
from conveyor.core.errors import ConveyorError
from conveyor.entrypoints.console.links import Links
from conveyor.entrypoints.http.bodies import read_body
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import Api
from conveyor.entrypoints.http.problems import ProblemError
from conveyor.operations.overview import Overviews

COOKIE = "conveyor_console"
ROOT = "/console"
SIGN_IN = f"{ROOT}/sign-in"
TOKEN_FIELD = "token"  # noqa: S105 - the name of a field
MAX_FIELDS = 100
MAY_SIGN_IN = (READ, OPERATE)
"""Scopes, of which one is enough: without `operate` one may look only."""
LOOKING = frozenset({"GET", "HEAD"})
"""The methods that change nothing."""
_ONLY_LOOKS = "You are signed in to look only: your API key lacks the scope operate."


class SignInNeededError(ConveyorError):
    """Nobody is signed in, or not any more."""


@dataclass(frozen=True, slots=True)
class Console:
    """What all pages share: the system behind them, and who may look."""

    api: Api
    sessions: Sessions
    links: Links
    overviews: Overviews


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who is signed in; `word` is that of the session, `place` their address."""

    grant: Grant
    word: str
    place: str = ""

    def acting(self, why: str = "") -> Actor:
        """Give who acts, from where and why, as the log of operators keeps it."""
        grant = self.grant
        return Actor(grant.key_id, grant.label, "", self.place, grant.merchant, why)

    @property
    def may_change(self) -> bool:
        """Whether it may change anything; else it is signed in to look only."""
        return self.grant.allows([OPERATE])

    @property
    def token(self) -> str:
        """Give what each form of this session holds, and nobody else knows."""
        return hmac.new(self.word.encode(), b"form", hashlib.sha256).hexdigest()


def console_of(request: Request) -> Console:
    """Give the console that this request is for."""
    console: Console = request.app.state.console
    return console


async def viewer_of(request: Request) -> Viewer:
    """Give who is signed in, and let them look; change something only who may.

    Raises `SignInNeededError`, and `ProblemError` where this is not for them or too much is asked.
    """
    viewer = await signed_in(request)
    if request.method not in LOOKING:
        _require_change(viewer)
    return viewer


async def operator_of(request: Request) -> Viewer:
    """Give who is signed in, for a page that is there to change something. Raises likewise."""
    viewer = await signed_in(request)
    _require_change(viewer)
    return viewer


async def signed_in(request: Request) -> Viewer:
    """Give who is signed in, whatever they ask for. Raises `SignInNeededError`."""
    console, word = console_of(request), request.cookies.get(COOKIE, "")
    grant = await console.sessions.grant_of(word) if word else None
    if grant is None or not grant.allows(MAY_SIGN_IN):
        raise SignInNeededError
    request.state.grant = grant  # for the log of actions
    console.api.rates.request(grant.key_id)
    return Viewer(grant, word, request.client.host if request.client else "")


def _require_change(viewer: Viewer) -> None:
    if not viewer.may_change:
        raise ProblemError(Code.FORBIDDEN, _ONLY_LOOKS)


async def form_of(request: Request, viewer: Viewer | None) -> Mapping[str, str]:
    """Give what was sent with a form of ours, each field trimmed; None: of nobody signed in.

    Raises `ProblemError` for what came from elsewhere.
    """
    require_this_origin(request)
    raw = (await read_body(request)).decode(errors="replace")
    try:
        fields = dict(parse_qsl(raw, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise ProblemError(Code.INVALID, "There are too many fields in this form.") from None
    if viewer and not hmac.compare_digest(
        fields.get(TOKEN_FIELD, "").encode(), viewer.token.encode()
    ):
        raise ProblemError(Code.FORBIDDEN, "This form is out of date: load its page again.")
    return {name: value.strip() for name, value in fields.items()}


def require_this_origin(request: Request) -> None:
    """Raise `ProblemError` unless the browser says that one of our own pages asks for it."""
    site = request.headers.get("sec-fetch-site")
    if site is None:  # an older browser, or a plain address that is not this machine's
        origin = urlsplit(request.headers.get("origin", "")).netloc
        site = "same-origin" if origin and origin == request.headers.get("host") else "elsewhere"
    if site != "same-origin":
        raise ProblemError(Code.FORBIDDEN, "Changes are taken from pages of this console alone.")


def is_asked_by_script(request: Request) -> bool:
    """Whether a page asks for a part of itself, and a redirection would be lost on it."""
    return "hx-request" in request.headers


def sign_in_path(request: Request) -> str:
    """Give where to sign in, to come back here afterwards."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"{SIGN_IN}?to={quote(here)}" if request.method == "GET" else SIGN_IN


def keep_cookie(request: Request, answer: Response, word: str) -> None:
    """Let the browser keep a session."""
    answer.set_cookie(
        COOKIE,
        word,
        max_age=SESSION_MS // 1000,
        path=ROOT,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
