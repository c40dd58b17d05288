"""Clearing a pile: what that would do, then doing it a second's worth at a time.

The open page asks for one batch after the other, and holds how far it is: so any process may
answer, and whoever closes the page or stops it leaves the rest as it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from conveyor.core.untyped import Json
from conveyor.entrypoints.console.desk_page import cursor_in, is_count, written
from conveyor.entrypoints.console.pages import HEADERS, page, render
from conveyor.entrypoints.console.viewer import (
    Viewer,
    console_of,
    form_of,
    is_asked_by_script,
    operator_of,
    viewer_of,
)
from conveyor.entrypoints.http.dead_letters import MESSAGE_ID_PATTERN, sees_poison
from conveyor.entrypoints.http.orders import order_or_404
from conveyor.entrypoints.http.problems import invalid, not_found
from conveyor.operations.desk import Batch, Pile, Wanted, clear_some, dry_run, pile_seen
from conveyor.operations.desk.messages import PREFIX, MessagePile, find_message_pile
from conveyor.operations.previews import Action

RATE = 20
"""Orders a second: what is set going should not be what everybody else has to wait for."""
MOST_A_SECOND = 200
MOST_CHOSEN = 200
MOST_KINDS = 50
MAX_REASON = 500
_MESSAGE_ID = re.compile(MESSAGE_ID_PATTERN)


@dataclass(frozen=True, slots=True)
class Way:
    """What can be done to a pile: `asks` for it, `does` says it of what was done."""

    title: str
    button: str
    done: str
    needs_reason: bool


WAYS: Mapping[Action, Way] = {
    Action.REDRIVE: Way("Let these try again?", "Redrive", "redriven", needs_reason=False),
    Action.COMPENSATE: Way("Give up and undo these?", "Undo", "being undone", needs_reason=True),
    Action.DISCARD: Way("Discard these?", "Discard", "discarded", needs_reason=True),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form asks for."""

    wanted: Wanted
    reason: str
    rate: int

    @property
    def is_of_messages(self) -> bool:
        """Whether these are messages, and not orders."""
        return self.wanted.pile.startswith(PREFIX)

    def things(self, count: int) -> str:
        """Say so many of them: `1 order`, `1,200 messages`."""
        what = "message" if self.is_of_messages else "order"
        return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"

    @property
    def way(self) -> Way:
        """Give what is to be done."""
        return WAYS[self.wanted.action]


@dataclass(slots=True)
class Progress:
    """How far it is, as the page holds it; `after` is where it goes on, None: it is over.

    Of `total`, so many are done, and so many `left` as they were, by why.
    """

    total: int
    done: int
    left: dict[str, int]
    after: str | None

    @property
    def seen(self) -> int:
        """Give how many have had their turn."""
        return self.done + sum(self.left.values())

    def add(self, batch: Batch) -> None:
        """Take note of what was done just now."""
        self.done += batch.done
        for why, count in batch.left.items():
            self.left[why] = self.left.get(why, 0) + count
        self.after = written(batch.after) if batch.after else None


async def plan(request: Request) -> Response:
    """Say what would become of a pile, or of those chosen of it. Raises `ProblemError`."""
    viewer, engine = await operator_of(request), console_of(request).api.app.engine
    query = request.query_params
    chosen = query.getlist("order") if query.get("which") == "chosen" else []
    until = str(engine.ambient.now_ms())
    sent = {"action": query.get("action", ""), "until": until, "orders": " ".join(chosen)}
    return await _planned(request, viewer, _asked(request, viewer, sent), nobody=query.get("which"))


async def clear(request: Request) -> Response:
    """Begin, or go on with the next of them, or stop. Raises `ProblemError`."""
    viewer = await viewer_of(request)
    sent = await form_of(request, viewer)
    asked = _asked(request, viewer, sent)
    if asked.way.needs_reason and not asked.reason:
        why = "A reason is needed: it is kept with what was done."
        return await _planned(request, viewer, asked, why=why, status=422)
    stops = "stop" in sent and "go" not in sent
    progress = _progress_in(sent)
    if is_asked_by_script(request) and not stops:
        engine, by = console_of(request).api.app.engine, viewer.acting(asked.reason)
        after = cursor_in(progress.after or "")
        progress.add(await clear_some(engine, asked.wanted, after, asked.rate, by))
    shown: dict[str, Json] = {
        "asked": asked,
        "orders": " ".join(asked.wanted.chosen),
        "progress": progress,
        "left_json": orjson.dumps(progress.left).decode(),
        "is_over": progress.after is None,
        "stopped": stops,
        "viewer": viewer,
    }
    if is_asked_by_script(request):
        return HTMLResponse(render("clearing_live.html", **shown), 200, HEADERS)
    return page(request, "clearing.html", **shown)


async def _planned(
    request: Request,
    viewer: Viewer,
    asked: Asked,
    *,
    why: str = "",
    status: int = 200,
    nobody: str | None = None,
) -> Response:
    engine, wanted = console_of(request).api.app.engine, asked.wanted
    found: Pile | MessagePile | None
    if asked.is_of_messages:
        found = await find_message_pile(engine, wanted.pile)
    else:
        found = await pile_seen(engine, wanted.pile, wanted.sees)
    none_chosen = nobody == "chosen" and not wanted.chosen
    planned = None if none_chosen or not found else await dry_run(engine, wanted)
    return page(
        request,
        "plan.html",
        viewer,
        status=status,
        pile=found,
        plan=planned,
        asked=asked,
        orders=" ".join(wanted.chosen),
        most=MOST_A_SECOND,
        why="No order was selected." if none_chosen else why,
    )


def _asked(request: Request, viewer: Viewer, sent: Mapping[str, str]) -> Asked:
    pile: str = request.path_params["pile"]
    of_messages = pile.startswith(PREFIX)
    if of_messages and not sees_poison(console_of(request).api, viewer.grant):
        raise not_found("pile")
    ways = [it for it in WAYS if not of_messages or it != Action.COMPENSATE]
    if sent.get("action") not in set(ways):
        raise invalid("action", f"is one of {', '.join(ways)}")
    chosen = sent.get("orders", "").split()
    if not all(_MESSAGE_ID.fullmatch(it) if of_messages else order_or_404(it) for it in chosen):
        raise not_found("message")
    if len(chosen) > MOST_CHOSEN:
        raise invalid("orders", f"are at most {MOST_CHOSEN}, or all of a pile")
    reason, rate = sent.get("reason", ""), _count_in(sent, "rate") or RATE
    if len(reason) > MAX_REASON or not (reason == "" or reason.isprintable()):
        raise invalid("reason", f"is one line of at most {MAX_REASON} characters")
    wanted = Wanted(
        pile=pile,
        action=Action(sent["action"]),
        sees=viewer.grant.sees,
        until=_count_in(sent, "until"),
        chosen=tuple(chosen),
    )
    return Asked(wanted, reason, min(rate, MOST_A_SECOND))


def _count_in(sent: Mapping[str, str], name: str) -> int:
    text = sent.get(name, "") or "0"
    if not is_count(text):
        raise invalid(name, "is a number")
    return int(text)


def _progress_in(sent: Mapping[str, str]) -> Progress:
    try:
        left = orjson.loads(sent.get("left", "") or "{}")
    except orjson.JSONDecodeError:
        left = None
    if not isinstance(left, dict) or not all(type(it) is int for it in left.values()):
        raise invalid("left", "is what this console wrote")
    few = dict(list(left.items())[:MOST_KINDS])
    return Progress(_count_in(sent, "total"), _count_in(sent, "done"), few, sent.get("after", ""))
