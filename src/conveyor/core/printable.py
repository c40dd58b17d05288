"""Which characters no terminal, log or page of ours is to be sent.

Control characters, ASCII's and those of ISO 8859, which move a cursor or clear a screen; and those
that turn the direction of a line around, which makes it read as what it is not. The models of
orders refuse the same (they import nothing of ours, so they say it themselves).
"""

from __future__ import annotations

import re

UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
CONTROL = re.compile(f"[{UNPRINTABLE}]")
_USER = re.compile(r"(?s)\A([A-Za-z][\w+.-]*://)?.*@")
_SECRET = re.compile(r"(?i)((?:password|secret|token)[^=&]*=)[^&]*")
_NOT_A_LINE = re.compile(rf"(?![\n\t])[{UNPRINTABLE}]")


def printable(text: str) -> str:
    """Give the text as it may be shown: what a terminal would obey is spelled out."""
    return _NOT_A_LINE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def without_secrets(url: str) -> str:
    """Give a URL, or what was meant to be one, as it may be shown: without user and password."""
    return _SECRET.sub(r"\1***", _USER.sub(r"\1***@", url))
