"""What was placed, as whoever reads it needs it: typed, and no more than that."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")

_readers: dict[type[Any], TypeAdapter[Any]] = {}


def read_body(raw: str, kind: type[T]) -> T:
    """Give what a dataclass or model names of a body. Raises pydantic's `ValidationError`.

    A dataclass passes over what it does not name, and checks nothing but types: what was taken
    once is good, though it would not be taken today.
    """
    reader = _readers.get(kind) or _readers.setdefault(kind, TypeAdapter(kind))
    read: T = reader.validate_json(raw)
    return read
