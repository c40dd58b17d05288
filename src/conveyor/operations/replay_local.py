"""A replay into the system that runs in this process: no HTTP on the way."""

from __future__ import annotations

import sqlalchemy as sa
from pydantic import ValidationError

from conveyor.commerce.orders.placement import Placed
from conveyor.core.errors import UnknownFlowError
from conveyor.core.order_status import OrderStatus
from conveyor.core.rfc3339 import iso
from conveyor.core.statements import one_of
from conveyor.core.tables import orders
from conveyor.operations.explain import explain
from conveyor.operations.replay import Answer, ReplayReport, Unacceptable, wait_in_words
from conveyor.operations.summary import P50, P99, Summaries, Which
from conveyor.system.composition import App

_STILL_OPEN = sa.select(orders.c.id).where(
    one_of(orders.c.id, "ids"),
    orders.c.settled_at.is_(None),
    orders.c.status != OrderStatus.PARKED,
)


class LocalTarget:
    """The `ReplayTarget` over an `App`, for one merchant."""

    def __init__(self, app: App, merchant: str) -> None:
        self._app = app
        self._merchant = merchant
        self._open: list[str] = []

    async def place(self, key: str, text: bytes) -> Answer:
        """See `ReplayTarget`."""
        try:
            body = self._app.installed.bodies.read_json(text)
            answer = await self._app.placement.place(self._merchant, key, body)
        except ValidationError as error:
            return Unacceptable("; ".join(_say(e["loc"], e["msg"]) for e in error.errors()))
        except UnknownFlowError as error:
            return Unacceptable(f"flow: {error}")
        if isinstance(answer, Placed):
            self._open.append(answer.order_id)
        return answer

    async def count_open(self, _prefix: str, /) -> int:
        """See `ReplayTarget`; asks for what was open when it was last asked, and no more."""
        asked, self._open = {"ids": self._open}, []
        self._open += await self._app.parts.database.read(
            lambda tx: tx.execute(_STILL_OPEN, asked).scalars().all()
        )
        return len(self._open)

    async def waiting(self) -> str:
        """See `ReplayTarget`."""
        for order_id in self._open[:1]:
            story = await explain(self._app, order_id, self._merchant)
            if story and story.wait:
                until = None if story.wait.until is None else iso(story.wait.until)
                return wait_in_words(order_id, story.wait.what, until)
        return ""

    async def requests(self) -> int | None:
        """See `ReplayTarget`: this process is all there is."""
        return self._app.parts.queues.requests if self._app.counts_requests else None

    async def report(self, prefix: str) -> ReplayReport:
        """See `ReplayTarget`."""
        summaries = Summaries(self._app.parts.database, self._app.parts.ambient)
        summary = await summaries.of(Which(self._merchant, prefix))
        return ReplayReport(
            by_status=summary.by_status,
            captured=summary.captured,
            refunded=summary.refunded,
            refused_because=summary.refused_because,
            latency_ms={"p50": summary.latency(P50), "p99": summary.latency(P99)},
        )


def _say(location: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    name = ".".join(str(part) for part in location)
    return f"{name}: {message}" if name else message
