"""A replay into the system that runs in this process: no HTTP on the way."""

from __future__ import annotations

from collections.abc import Collection

from conveyor.app import replay_report
from conveyor.app.composition import App
from conveyor.app.replay import Answer, Unacceptable
from conveyor.app.replay_report import ReplayReport
from conveyor.messaging.errors import UnknownFlowError
from conveyor.services.orders.model import OrderBody


class LocalTarget:
    """The `ReplayTarget` over an `App`, for one merchant."""

    def __init__(self, app: App, merchant: str) -> None:
        self._app = app
        self._merchant = merchant

    async def place(self, key: str, body: OrderBody) -> Answer:
        """See `ReplayTarget`."""
        try:
            return await self._app.placement.place(self._merchant, key, body)
        except UnknownFlowError as error:
            return Unacceptable(f"flow: {error}")

    async def still_open(self, order_ids: Collection[str]) -> set[str]:
        """See `ReplayTarget`."""
        database = self._app.parts.database
        return await database.read(
            lambda tx: replay_report.still_open(tx, order_ids, self._merchant)
        )

    async def report(self, prefix: str) -> ReplayReport:
        """See `ReplayTarget`."""
        database = self._app.parts.database
        return await database.read(lambda tx: replay_report.report(tx, self._merchant, prefix))
