"""Numbers in JSON that are too small for a float: they would be read as 0, and an order be free."""

from __future__ import annotations

import json
import re

# Hardly any text has these; only then is it read number by number.
_SUSPECT = re.compile("[eE]-[0-9]{2}|0{300}")
_SIGNS = ("e-", "E-", "0" * 300)  # which are found many times faster than a pattern
_NOT_ZERO = re.compile("[1-9]")


class _VanishingError(Exception):
    def __init__(self, number: str) -> None:
        super().__init__(number)
        self.number = number


def vanishing_number(raw: bytes | str) -> str | None:
    """Give a number in the JSON that is not 0, but would be read so; None: there is none."""
    text = raw if isinstance(raw, str) else raw.decode(errors="replace")
    if not any(sign in text for sign in _SIGNS) or not _SUSPECT.search(text):
        return None
    try:
        json.loads(text, parse_float=_read)
    except _VanishingError as found:
        return found.number
    except (ValueError, RecursionError):  # no JSON: whoever reads it next says so
        pass
    return None


def _read(number: str) -> float:
    value = float(number)
    if not value and _NOT_ZERO.search(re.split("[eE]", number)[0]):
        raise _VanishingError(number)
    return value
