"""Causes that differ in a number or an id are one cause."""

from __future__ import annotations

import re

VARIES = "#"
"""Stands for what differs from order to order."""
MOST_CHARACTERS = 300

_VARYING = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # a UUID
    r"|\b0x[0-9a-f]+\b"
    r"|\b(?=[a-z_]*\d)\w{8,}\b"  # a word with digits, as an order's id or a provider's
    r"|\d+(?:[.,:]\d+)*",
    re.IGNORECASE,
)


def folded(cause: str) -> str:
    """Give a cause without what is of one order only."""
    return VARIES.join(_VARYING.split(" ".join(cause.split())))[:MOST_CHARACTERS]
