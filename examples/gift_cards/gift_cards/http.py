"""`/v1/gift-cards`: for keys with the scope `gift_cards`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel

from conveyor.entrypoints.http import Grant, TheApi, key_with
from gift_cards import store

router = APIRouter(prefix="/v1/gift-cards", tags=["gift cards"])


class CardView(BaseModel):
    """A gift card; `value` is in minor units of `currency`."""

    recipient: str
    currency: str
    value: int
    state: str


@router.get("/{order}")
async def show_gift_card(
    order: str, api: TheApi, grant: Annotated[Grant, key_with("gift_cards")]
) -> CardView:
    """Show the gift card that an order paid for."""
    card = await api.app.engine.database.read(lambda tx: store.find(tx, order))
    if card is None or grant.sees not in {None, card.merchant}:
        raise HTTPException(404)
    return CardView(
        recipient=card.recipient, currency=card.currency, value=card.value, state=card.state
    )
