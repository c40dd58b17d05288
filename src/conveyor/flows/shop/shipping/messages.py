"""What a carrier tells us by webhook: `shipment.delivered`, and what it looks like.

{"type": "shipment.delivered", "timestamp": "2026-01-31T12:00:00.000+00:00",
 "data": {"order": "01HY...", "tracking": "SIM..."}}
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from conveyor.core.ambient import ULID_ALPHABET, ULID_LENGTH
from conveyor.core.errors import ConveyorError
from conveyor.core.rfc3339 import iso

SHIPMENT_DELIVERED = "shipment.delivered"
MAX_TRACKING_LENGTH = 100

_ORDER_ID = re.compile(f"[{ULID_ALPHABET}]{{{ULID_LENGTH}}}")
_TRACKING = re.compile(f"[ -~]{{1,{MAX_TRACKING_LENGTH}}}")


class ConfirmationError(ConveyorError):
    """A carrier's message that cannot be read; `field` is the one to mend."""

    def __init__(self, field: str, cause: str) -> None:
        super().__init__(f"{field}: {cause}")
        self.field = field
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Delivered:
    """The carrier confirms that the goods of this order arrived."""

    order_id: str
    tracking: str

    @property
    def answer(self) -> dict[str, str]:
        """What the awaiting step takes."""
        return {"tracking": self.tracking}


@dataclass(frozen=True, slots=True)
class Ignored:
    """A type of message that is none of our business; to be answered with success all the same."""

    type: str


def write_confirmation(delivered: Delivered, at_ms: int) -> bytes:
    """Give the body that a carrier sends; `at_ms` is when the goods arrived."""
    return orjson.dumps(
        {
            "type": SHIPMENT_DELIVERED,
            "timestamp": iso(at_ms),
            "data": {"order": delivered.order_id, "tracking": delivered.tracking},
        }
    )


def read_confirmation(body: bytes) -> Delivered | Ignored:
    """Read a carrier's message. Raises `ConfirmationError` with the field that is wrong."""
    try:
        message: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ConfirmationError("body", f"not JSON: {error}") from error
    if not isinstance(message, dict):
        raise ConfirmationError("body", "a JSON object is needed")
    kind = message.get("type")
    if not isinstance(kind, str) or not kind:
        raise ConfirmationError("type", f"needs the type of the message, not {kind!r}")
    if kind != SHIPMENT_DELIVERED:
        return Ignored(kind)
    data = message.get("data")
    if not isinstance(data, dict):
        raise ConfirmationError("data", "an object with order and tracking is needed")
    order_id, tracking = data.get("order"), data.get("tracking")
    if not isinstance(order_id, str) or not _ORDER_ID.fullmatch(order_id):
        raise ConfirmationError("data.order", f"needs the id of an order, not {order_id!r}")
    if not isinstance(tracking, str) or not _TRACKING.fullmatch(tracking):
        cause = f"needs 1 to {MAX_TRACKING_LENGTH} printable ASCII characters"
        raise ConfirmationError("data.tracking", cause)
    return Delivered(order_id, tracking)
