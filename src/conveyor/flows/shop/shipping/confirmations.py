"""Where a carrier's webhook enters: verified, read, and given to the order that awaits it."""

from __future__ import annotations

from collections.abc import Mapping

from conveyor.core.ambient import Ambient
from conveyor.core.answers import NOT_AWAITED, Answers, StepAnswer
from conveyor.flows.shop.shipping import store
from conveyor.flows.shop.shipping.messages import Ignored, read_confirmation
from conveyor.flows.shop.shipping.steps import SHIP
from conveyor.flows.shop.shipping.webhooks import WebhookKey


class Confirmations:
    """Takes the carrier's confirmations; a duplicate is harmless, an early one is not lost."""

    def __init__(self, answers: Answers, key: WebhookKey, ambient: Ambient) -> None:
        """`key` verifies who sends them."""
        self._answers = answers
        self._key = key
        self._ambient = ambient

    async def receive(self, headers: Mapping[str, str], body: bytes) -> str:
        """Give what became of it, once that is committed: see `answers`.

        Raises `WebhookRejectedError` and `ConfirmationError`.
        """
        now = self._ambient.now_ms()
        self._key.verify(headers, body, now)
        message = read_confirmation(body)
        if isinstance(message, Ignored):
            return NOT_AWAITED
        order_id = message.order_id
        given = StepAnswer(
            order_id,
            SHIP,
            message.answer,
            lambda tx: store.note_delivery(tx, order_id, message.tracking, now),
        )
        return await self._answers.take(given)
