"""Answering a step that awaits it, with who it was that answered."""

from __future__ import annotations

from collections.abc import Callable

from conveyor.core import timeline
from conveyor.core.actor import Actor
from conveyor.core.answers import StepAnswer
from conveyor.core.operator_actions import note
from conveyor.core.order import Order
from conveyor.core.step import Answer, Now
from conveyor.core.timeline_event import TimelineEvent
from conveyor.core.transaction import Tx
from conveyor.system.composition import App


async def give_answer(
    app: App,
    order_id: str,
    step: str,
    answer: Answer,
    *,
    version: int | None,
    by: Actor | None,
) -> str:
    """Give a step its answer, and let the order go on; says what became of it, as `Answers.take`.

    `version` is that of the order which is answered; None: whichever it has. `by` is told in the
    order's story and in the log of operators; None: nobody is.
    """
    told = _told_by(by, step, app.engine.now()) if by else None
    return await app.answers.take(StepAnswer(order_id, step, answer, version=version, told=told))


def _told_by(by: Actor, step: str, now: Now) -> Callable[[Tx, Order], None]:
    def write(tx: Tx, order: Order) -> None:
        what = " ".join(
            filter(None, (f"{step} is answered by {by.holder}", by.why and f"({by.why})"))
        )
        said = {"what": what, **by.facts}
        timeline.note(tx, order.id, order.version, now.ms, TimelineEvent.NOTED, detail=said)
        facts = {"step": step}
        note(tx, by, "orders.answer", now.ms, order=order.id, merchant=order.merchant, detail=facts)

    return write
