"""What is wrong with JSON text that its reader would not see, or only after too much work."""

from __future__ import annotations

from conveyor.commerce.orders.vanishing import vanishing_number

TOO_SMALL = "{number} is a number so small that it would be taken for 0"
SHOWN = 40
"""Characters of such a number that are shown."""
MAX_CONTAINERS = 20_000
"""Lists and objects in one text: each takes a hundred bytes of memory for three that were sent.

An order of 1,000 items has about as many. Brackets within texts count too: that is seen at once,
where reading a mebibyte of empty lists keeps everybody waiting for a second.
"""
TOO_MANY = f"has more than {MAX_CONTAINERS:,} lists and objects"


def flaw_of(raw: bytes | str) -> str | None:
    """Say what is wrong; None: nothing that could be seen without reading it as JSON."""
    opened = raw.count("[") + raw.count("{") if isinstance(raw, str) else _opened(raw)
    if opened > MAX_CONTAINERS:
        return TOO_MANY
    if number := vanishing_number(raw):
        return TOO_SMALL.format(number=number[:SHOWN])
    return None


def _opened(raw: bytes) -> int:
    return raw.count(b"[") + raw.count(b"{")
