"""The dead-letter desk: what is parked, in piles of one cause; and the orders of a pile."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from conveyor.entrypoints.console.pages import page
from conveyor.entrypoints.console.viewer import Console, Viewer, console_of, viewer_of
from conveyor.entrypoints.http.dead_letters import sees_poison
from conveyor.entrypoints.http.problems import invalid, not_found
from conveyor.operations.dead_letters import Look, look_into_dead_letters
from conveyor.operations.desk import pile_page, piles_seen
from conveyor.operations.desk.members import START, Cursor
from conveyor.operations.desk.messages import (
    PREFIX,
    find_message_pile,
    judge_messages,
    message_piles,
)

PAGE = 50
_COUNT = re.compile(r"[0-9]{1,18}")
"""What fits into 64 bits for certain."""
MOST_PILES = 50


async def desk(request: Request) -> Response:
    """Show the piles, the largest first, and poison in the queues."""
    viewer, console = await viewer_of(request), console_of(request)
    engine = console.api.app.engine
    look = await _poison(console, viewer)
    many, shown = await piles_seen(engine, viewer.grant.sees, MOST_PILES)
    return page(
        request,
        "desk.html",
        viewer,
        piles=shown,
        more=many - len(shown),
        messages=message_piles(look),
        not_shown=look.not_shown,
        now=engine.ambient.now_ms(),
    )


async def pile(request: Request) -> Response:
    """Show the orders of a pile, each judged as it is now. Raises `ProblemError`."""
    viewer, engine = await viewer_of(request), console_of(request).api.app.engine
    if request.path_params["pile"].startswith(PREFIX):
        return await _message_pile(request, viewer)
    key, sees = request.path_params["pile"], viewer.grant.sees
    after = cursor_in(request.query_params.get("after", ""))
    found = await pile_page(engine, key, sees, after, PAGE)
    them = found.members if found else ()
    return page(
        request,
        "pile.html",
        viewer,
        pile=found and found.pile,
        members=them,
        judged=found.judged if found else {},
        shared=found.shared if found else (),
        next=written(them[-1].cursor) if len(them) == PAGE else "",
        is_later=after != START,
        now=engine.ambient.now_ms(),
    )


def is_count(text: str) -> bool:
    """Whether it is a whole number, from 0, as an address has it."""
    return _COUNT.fullmatch(text) is not None


def cursor_in(text: str) -> Cursor:
    """Read a place in a pile, as an address has it. Raises `ProblemError`."""
    turn, _, order_id = text.partition(".")
    if not text:
        return START
    if not is_count(turn):
        raise invalid("after", "is no place in a pile")
    return int(turn), order_id


def written(cursor: Cursor) -> str:
    """Write a place in a pile into an address."""
    return f"{cursor[0]}.{cursor[1]}"


async def _message_pile(request: Request, viewer: Viewer) -> Response:
    """Show the messages of a pile, each judged against the order that it is about."""
    console = console_of(request)
    if not _sees_messages(console, viewer):
        raise not_found("pile")
    engine = console.api.app.engine
    found = await find_message_pile(engine, request.path_params["pile"])
    verdicts = await judge_messages(engine, found.messages) if found else {}
    now = engine.ambient.now_ms()
    return page(request, "messages.html", viewer, pile=found, judged=verdicts, now=now)


async def _poison(console: Console, viewer: Viewer) -> Look:
    if not _sees_messages(console, viewer):
        return Look([], {})
    return await look_into_dead_letters(console.api.app.engine)


def _sees_messages(console: Console, viewer: Viewer) -> bool:
    """Whether they are told of messages: anybody may have sent one, and said anything in it."""
    return viewer.may_change and sees_poison(console.api, viewer.grant)
