"""A moment, as whoever is outside reads it."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(at_ms: int) -> str:
    """RFC 3339, UTC, milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
