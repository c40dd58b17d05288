"""Where a carrier's webhook enters: verified, read, and given to the order that awaits it."""

from __future__ import annotations

from collections.abc import Mapping

from conveyor.core.ambient import Ambient
from conveyor.core.answers import NOT_AWAITED, NOT_CALLED, Answers, StepAnswer
from conveyor.flows.shop.shipping import store
from conveyor.flows.shop.shipping.messages import Ignored, read_confirmation
from conveyor.flows.shop.shipping.steps import NOT_ITS_PARCEL, SHIP
from conveyor.flows.shop.shipping.webhooks import WebhookKeys


class Confirmations:
    """Takes carriers' confirmations; a duplicate is harmless, an early one is not lost.

    Each may confirm the parcels of those orders alone that call it.
    """

    def __init__(self, answers: Answers, keys: WebhookKeys, ambient: Ambient) -> None:
        """`keys` tell, by the names that bind them, who sends them."""
        self._answers = answers
        self._keys = keys
        self._ambient = ambient

    async def receive(self, headers: Mapping[str, str], body: bytes) -> str:
        """Give what became of it, once that is committed: see `answers`.

        Raises `WebhookRejectedError` and `ConfirmationError`.
        """
        now = self._ambient.now_ms()
        carrier = self._keys.verify(headers, body, now)
        message = read_confirmation(body)
        if isinstance(message, Ignored):
            return NOT_AWAITED
        order_id = message.order_id
        given = StepAnswer(
            order_id,
            SHIP,
            message.answer,
            lambda tx: store.note_delivery(tx, order_id, message.tracking, now),
            by=carrier,
        )
        taken = await self._answers.take(given)
        return NOT_ITS_PARCEL if taken == NOT_CALLED else taken
