"""What the API takes and gives of its keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints, field_validator

from conveyor.access.model import KEY_ID_PATTERN, SCOPE_PATTERN
from conveyor.commerce.orders.model import WHOLE, SingleLine, Word
from conveyor.entrypoints.http.schemas import Body, Time

Scope = Annotated[str, StringConstraints(pattern=SCOPE_PATTERN)]
"""One of those that are installed: the OpenAPI document names them."""
MAX_DAYS = 3_650


class KeyBody(Body):
    """What a new key may do. `merchant` is your own unless you own the data directory."""

    scopes: list[Scope] = Field(min_length=1, json_schema_extra={"uniqueItems": True})
    subject: Word | None = Field(None, description="The one restaurant or rider it speaks for.")
    label: SingleLine = ""
    merchant: Word | None = None
    expires_in_days: Annotated[int, Field(ge=1, le=MAX_DAYS), WHOLE] | None = Field(
        None, description="Until when it opens anything."
    )

    @field_validator("scopes")
    @classmethod
    def _once(cls, value: list[Scope]) -> list[Scope]:
        if len(set(value)) < len(value):
            raise ValueError("names a scope twice")
        return value


class KeyView(BaseModel):
    """An API key, without its secret."""

    id: str = Field(pattern=f"^{KEY_ID_PATTERN}$")
    merchant: str
    scopes: list[Scope]
    subject: str | None
    label: str
    created_at: Time
    revoked_at: Time | None
    expires_at: Time | None
    last_used_at: Time | None = Field(description="To the minute.")


class NewKey(KeyView):
    """With its secret, which is shown this once."""

    key: str


class Keys(BaseModel):
    """API keys, oldest first."""

    keys: list[KeyView]
