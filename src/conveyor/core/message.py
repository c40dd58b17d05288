"""The token on the wire: a CloudEvents 1.0 JSON envelope with no business data in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from conveyor.core.ambient import ULID_ALPHABET, ULID_LENGTH, first_id_at
from conveyor.core.errors import PoisonError
from conveyor.core.rfc3339 import iso
from conveyor.core.tracing import TRACEPARENT, read_traceparent

SPEC_VERSION = "1.0"
SOURCE = "/conveyor"
MAX_STEP_LENGTH = 200
MAX_VERSION = 2**31 - 1
NO_ORDER = first_id_at(0)
"""The order that a message names which is for none, such as one that wakes a poll."""

# What a database cannot even be asked for (NUL, numbers too large) would fail a whole group.
_ORDER_ID = re.compile(f"[{ULID_ALPHABET}]{{{ULID_LENGTH}}}")


@dataclass(frozen=True, slots=True)
class Token:
    """The order to load, the step to take, and the version at which that is owed.

    `traceparent` says where in which trace it was sent, '' for none: nothing depends on it.
    """

    order_id: str
    step: str
    version: int
    traceparent: str = ""


def encode(token: Token, now_ms: int) -> str:
    """Give the envelope; its `id` is the same for every copy of a token, whoever sends it."""
    event: dict[str, Any] = {
        "specversion": SPEC_VERSION,
        "id": f"{token.order_id}.{token.version}",
        "source": SOURCE,
        "type": token.step,
        "subject": token.order_id,
        "time": iso(now_ms),
        "orderversion": token.version,
    }
    if token.traceparent:
        # As https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md
        event[TRACEPARENT] = token.traceparent
    return orjson.dumps(event).decode()


def decode(body: str) -> Token:
    """Read an envelope. Raises `PoisonError` with what is wrong with it."""
    try:
        event: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PoisonError(f"not JSON: {error}") from error
    if not isinstance(event, dict):
        raise PoisonError("not a CloudEvents envelope: a JSON object is needed")
    if event.get("specversion") != SPEC_VERSION:
        raise PoisonError(f"specversion is {event.get('specversion')!r}, not {SPEC_VERSION!r}")
    order_id, step, version = event.get("subject"), event.get("type"), event.get("orderversion")
    if not isinstance(order_id, str) or not _ORDER_ID.fullmatch(order_id):
        raise PoisonError(f"subject is {order_id!r}, not an order's id")
    if not isinstance(step, str) or not step.isprintable() or not 0 < len(step) <= MAX_STEP_LENGTH:
        raise PoisonError(f"type is {step!r}, not the name of a step")
    if type(version) is not int or not 0 < version <= MAX_VERSION:
        raise PoisonError(f"orderversion is {version!r}, not a positive number")
    carried: Any = event.get(TRACEPARENT)
    return Token(order_id, step, version, carried if read_traceparent(carried) else "")
