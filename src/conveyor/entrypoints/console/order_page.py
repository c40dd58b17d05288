"""One order: its whole story, what it waits for, and what can be done about it now."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from conveyor.core.order_status import TERMINAL
from conveyor.core.place import due_step
from conveyor.core.untyped import Json
from conveyor.entrypoints.console.pages import page, render
from conveyor.entrypoints.console.streams import stream
from conveyor.entrypoints.console.viewer import Console, Viewer, console_of, viewer_of
from conveyor.entrypoints.http.orders import order_or_404
from conveyor.entrypoints.http.problems import not_found
from conveyor.extension import Answerable
from conveyor.operations.editing import why_not
from conveyor.operations.explain import Story, explain
from conveyor.operations.one_order import State, state_of

DID = {
    "cancel": "Its cancellation was taken.",
    "redrive": "It takes its step again.",
    "retry": "It has its next try now.",
    "compensate": "What was done of it is being undone.",
    "discard": "It was given up.",
    "refund": "Its money is given back.",
    "answer": "The answer was taken.",
    "edit": "It was changed.",
}
"""What is said after a change, by its name."""

VERBS = {
    "cancel": "Cancel",
    "redrive": "Redrive",
    "retry": "Retry now",
    "compensate": "Give up and undo",
    "discard": "Discard",
    "refund": "Refund",
}
PAID_VERBS = {"cancel": "Cancel and refund", "compensate": "Give up, undo and refund"}
"""Where money was taken, that is what it comes to."""


async def order(request: Request) -> Response:
    """Show it. Raises `ProblemError`."""
    viewer = await viewer_of(request)
    console = console_of(request)
    story = await story_of(request, viewer)
    said = DID.get(request.query_params.get("did", ""), "")
    return page(request, "order.html", viewer, said=said, **_shown(console, viewer, story))


async def live(request: Request) -> Response:
    """Show it again whenever it has changed, until its end."""
    viewer = await viewer_of(request)
    console = console_of(request)
    order_id = order_or_404(request.path_params["order_id"])
    seen: tuple[State | None, str] = (None, "")

    async def look() -> str | None:
        nonlocal seen
        state = await state_of(console.api.app.engine, order_id, viewer.grant.sees)
        if state is None:
            return None
        if state == seen[0]:
            return None if state.status in TERMINAL else seen[1]
        story = await explain(console.api.app, order_id, viewer.grant.sees)
        if story is None:
            return None
        seen = state, render("order_live.html", viewer=viewer, **_shown(console, viewer, story))
        return seen[1]

    return await stream(request, viewer, look)


async def story_of(request: Request, viewer: Viewer) -> Story:
    """Tell the story of the order that a request names. Raises `ProblemError`."""
    order_id = order_or_404(request.path_params["order_id"])
    story = await explain(console_of(request).api.app, order_id, viewer.grant.sees)
    if story is None:
        raise not_found("order")
    return story


def answerable(console: Console, story: Story) -> tuple[str, Answerable[Json]] | None:
    """Give the step that awaits an answer which can be given here; None: there is none."""
    registry = console.api.app.engine.registry
    step = due_step(registry.flows, story.order)
    asks = registry.steps.get(step)
    return (step, asks) if isinstance(asks, Answerable) and asks.awaits(story.order) else None


def _shown(console: Console, viewer: Viewer, story: Story) -> dict[str, Json]:
    asks = answerable(console, story) if viewer.may_change else None
    return {
        "story": story,
        "order": story.order,
        "body": story.order.body,
        "is_over": story.order.status in TERMINAL,
        "verbs": VERBS | PAID_VERBS if story.payment and story.payment.captured else VERBS,
        "asks": asks[0] if asks else "",
        "choices": story.choices if viewer.may_change else (),
        "may_edit": viewer.may_change
        and not why_not(console.api.app.engine.registry, story.order, story.calls),
        "trace_url": console.api.app.settings.trace_page(story.trace_id),
        "now": console.api.app.engine.ambient.now_ms(),
    }
