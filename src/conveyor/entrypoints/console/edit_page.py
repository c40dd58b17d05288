"""Changing what was ordered: each field as JSON, then the difference, and only then the change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from conveyor.commerce.orders.model import SingleLine
from conveyor.commerce.orders.placement import fingerprint_of
from conveyor.core.untyped import Json
from conveyor.entrypoints.console.order_page import story_of
from conveyor.entrypoints.console.pages import page
from conveyor.entrypoints.console.viewer import (
    ROOT,
    Viewer,
    console_of,
    form_of,
    operator_of,
    viewer_of,
)
from conveyor.operations import editing
from conveyor.operations.editing import Edit, Wish
from conveyor.operations.explain import Story

PREFIX = "field."
_LINE: TypeAdapter[str] = TypeAdapter(SingleLine)
_MOVED = "The order has changed since you were asked. This is what it says now."
_SAME = "Nothing is different from what it said."
_REASON = "A reason of one line is needed: it is kept in the order's story."


@dataclass(frozen=True, slots=True)
class Asked:
    """A form that was sent: each field as JSON, and what the order was when it was shown."""

    texts: Mapping[str, str]
    was: str
    reason: str
    redrive: bool
    is_sure: bool


async def form(request: Request) -> Response:
    """Show what can be changed. Raises `ProblemError`."""
    viewer = await operator_of(request)
    return _form(request, viewer, await story_of(request, viewer))


async def send(request: Request) -> Response:
    """Show the difference; once that was seen, make it. Raises `ProblemError`."""
    viewer = await viewer_of(request)
    sent = await form_of(request, viewer)
    story = await story_of(request, viewer)
    names = _names(request, story)
    asked = Asked(
        {name: sent[PREFIX + name] for name in names if PREFIX + name in sent},
        sent.get("was", ""),
        sent.get("reason", ""),
        "redrive" in sent,
        "sure" in sent,
    )
    if not names or "back" in sent:
        return _form(request, viewer, story, asked, status=200 if names else 409)
    return _not_yet(request, viewer, story, asked) or await _make(request, viewer, story, asked)


def _not_yet(request: Request, viewer: Viewer, story: Story, asked: Asked) -> Response | None:
    """Ask for what is missing until it can be changed; None: nothing is."""
    if asked.was != fingerprint_of(story.order.raw_body):
        return _form(request, viewer, story, why=_MOVED, status=409)
    wanted = editing.edited(console_of(request).api.app.installed.bodies, story.order, asked.texts)
    if wanted.wrong or not wanted.differs:
        why = "" if wanted.wrong else _SAME
        return _form(request, viewer, story, asked, wrong=wanted.wrong, why=why, status=422)
    if not asked.is_sure:
        return _asking(request, viewer, story, asked, wanted)
    if not asked.reason or not _is_line(asked.reason):
        return _asking(request, viewer, story, asked, wanted, why=_REASON)
    return None


async def _make(request: Request, viewer: Viewer, story: Story, asked: Asked) -> Response:
    app = console_of(request).api.app
    wish = Wish(story.order, asked.texts, viewer.acting(asked.reason), asked.redrive)
    if refused := await editing.edit(app.engine, app.installed.bodies, wish):
        return _form(request, viewer, await story_of(request, viewer), why=refused, status=409)
    return RedirectResponse(f"{ROOT}/orders/{story.order.id}?did=edit", 303)


def _form(
    request: Request,
    viewer: Viewer,
    story: Story,
    asked: Asked | None = None,
    *,
    wrong: Mapping[str, str] | None = None,
    why: str = "",
    status: int = 200,
) -> Response:
    names = _names(request, story)
    texts = editing.texts_of(story.order, names) | dict(asked.texts if asked else {})
    registry = console_of(request).api.app.engine.registry
    shown: dict[str, Json] = {
        "order": story.order,
        "texts": texts,
        "wrong": wrong or {},
        "why": why,
        "refused": editing.why_not(registry, story.order, story.calls),
        "was": fingerprint_of(story.order.raw_body),
        "difference": [],
        "asked": asked,
    }
    return page(request, "edit.html", viewer, status=status, **shown)


def _asking(
    request: Request, viewer: Viewer, story: Story, asked: Asked, wanted: Edit, *, why: str = ""
) -> Response:
    shown: dict[str, Json] = {
        "order": story.order,
        "texts": asked.texts,
        "wrong": {},
        "why": why,
        "refused": "",
        "was": asked.was,
        "difference": editing.difference(story.order, wanted),
        "asked": asked,
    }
    return page(request, "edit.html", viewer, status=422 if why else 200, **shown)


def _names(request: Request, story: Story) -> tuple[str, ...]:
    """Name what can be changed now; nothing, where the order is not to be changed."""
    app = console_of(request).api.app
    if editing.why_not(app.engine.registry, story.order, story.calls):
        return ()
    return editing.fields_of(app.installed.bodies, story.order, story.calls)


def _is_line(text: str) -> bool:
    try:
        _LINE.validate_python(text)
    except ValidationError:
        return False
    return True
