"""Signing in, by a key or by a link that is good once; and signing out."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from conveyor.access.model import LOCAL_ID, OPERATE, Grant
from conveyor.entrypoints.console.pages import page
from conveyor.entrypoints.console.viewer import (
    COOKIE,
    MAY_SIGN_IN,
    ROOT,
    SIGN_IN,
    console_of,
    form_of,
    keep_cookie,
    signed_in,
)
from conveyor.entrypoints.http.addresses import counted_as
from conveyor.entrypoints.http.codes import Code
from conveyor.entrypoints.http.context import authorize
from conveyor.entrypoints.http.problems import ProblemError

SEE_OTHER = 303
_NOT_LOCAL = (
    "Links are for whoever may read the data directory of `conveyor up`. Sign in at /console with "
    "this API key."
)
_UNKNOWN = "This API key is unknown, revoked or expired."
_LACKS = f"This API key lacks the scope {' or '.join(MAY_SIGN_IN)}."
_USED = "This link was used before, or is too old. `conveyor console` gives another."


async def sign_in_page(request: Request) -> Response:
    """Ask for a key."""
    return page(request, "sign_in.html", None, to=_inside(request.query_params.get("to")), why="")


async def sign_in(request: Request) -> Response:
    """Begin a session with the key that was sent. Raises `ProblemError`."""
    fields = await form_of(request, None)
    console, to = console_of(request), _inside(fields.get("to"))
    text = fields.get("key", "")
    address = counted_as(request.client.host) if request.client else ""
    too_often = console.api.rates.tried_too_often(address)
    if too_often and not console.api.access.has_seen(text):
        raise too_often
    grant = await console.api.access.grant_of(text)
    if grant is None:
        console.api.rates.failed(address)
        return page(request, "sign_in.html", None, status=401, to=to, why=_UNKNOWN)
    request.state.grant = grant
    if not grant.allows(MAY_SIGN_IN):
        return page(request, "sign_in.html", None, status=403, to=to, why=_LACKS)
    return await _let_in(request, grant, to)


async def enter(request: Request) -> Response:
    """Begin a session with a link that is good once; who asks for the headers uses nothing up."""
    console = console_of(request)
    word = request.query_params.get("once", "")
    address = counted_as(request.client.host) if request.client else ""
    if too_often := console.api.rates.tried_too_often(address):
        raise too_often
    local = await console.api.access.grant_of_id(LOCAL_ID)
    if request.method == "GET" and local is not None and console.links.take(word):
        request.state.grant = local
        return await _let_in(request, local, ROOT)
    console.api.rates.failed(address)
    return page(request, "sign_in.html", None, status=401, to=ROOT, why=_USED)


async def new_link(request: Request) -> Response:
    """Give whoever holds the local key a link that signs in once: see `conveyor console`."""
    try:
        grant = await authorize(request, OPERATE)
    except ProblemError as error:
        return error.response()
    if grant.key_id != LOCAL_ID:
        return ProblemError(Code.FORBIDDEN, _NOT_LOCAL).response()
    return JSONResponse({"path": console_of(request).links.new("")}, 201)


async def sign_out(request: Request) -> Response:
    """End the session, also of who may only look."""
    viewer = await signed_in(request)
    await form_of(request, viewer)
    await console_of(request).sessions.end(viewer.word)
    answer = RedirectResponse(SIGN_IN, SEE_OTHER)
    answer.delete_cookie(COOKIE, path=ROOT)
    return answer


async def _let_in(request: Request, grant: Grant, to: str) -> Response:
    answer = RedirectResponse(to, SEE_OTHER)
    keep_cookie(request, answer, await console_of(request).sessions.open(grant))
    return answer


def _inside(path: str | None) -> str:
    """Give a path of the console: whoever made the link may want to lead elsewhere."""
    parts = urlsplit(path or ROOT)
    inside = parts.path == ROOT or parts.path.startswith(f"{ROOT}/")
    if parts.scheme or parts.netloc or not inside or "\\" in parts.path:
        return ROOT
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
