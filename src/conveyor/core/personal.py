"""What is personal in the body of an order: said by its model, path by path.

What an error says may hold it, since a step's code is somebody else's. So it is taken out of
whatever is told of an order's errors: in its story, in the log, in what is parked.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from conveyor.core.order import Order

Path = tuple[str, ...]
"""Names, one within the other; of a list, the same of each of its members."""

HIDDEN = "[personal]"
ERASED = "erased"
"""Stands where a body must have something."""
SHORTEST = 3
"""Characters: what is shorter says nothing of anybody, and is in half of all words."""
SURELY_NO_WORD = 12
"""Characters from which on a text is looked for within words too."""
# What a database adds to its error, a row with all its values; and what a model was given.
_VALUES = re.compile(
    r"^(?:DETAIL|CONTEXT): .*$\n?|^\[parameters: .*$\n?|, input_value=.*?(?=, input_type=|\]$)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class PersonalFields:
    """What is personal in the bodies of a flow.

    `told` leads to each text that nobody is to be told; `erased` to what is taken out when a
    customer is to be forgotten, and `needed` to those of these without which a body is none.
    """

    told: tuple[Path, ...]
    erased: tuple[Path, ...]
    needed: tuple[Path, ...] = ()


class Personal:
    """Knows what is personal in the body of an order, by the name of its flow."""

    def __init__(self, of_flows: Mapping[str, PersonalFields]) -> None:
        """Of a flow that is not among them every text of a body is taken for personal."""
        self._of_flows = of_flows

    def texts(self, order: Order) -> set[str]:
        """Give what is personal in an order's body."""
        fields = self._fields(order)
        body, paths = order.body, fields.told if fields else [()]
        return {text for path in paths for text in _texts(body, path) if len(text) >= SHORTEST}

    def erased(self, order: Order) -> str | None:
        """Give an order's body without it; None: its flow is not known here."""
        fields, body = self._fields(order), order.body
        if fields is None:
            return None
        for path in fields.erased:
            _take_out(body, path, leaves=path in fields.needed)
        return orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()

    def hide(self, order: Order, text: str) -> str:
        """Take it out of a text, and what databases and models show of their values."""
        return hidden(without_values(text), self.texts(order))

    def cause(self, order: Order, error: BaseException) -> str:
        """Say in a line what an error was."""
        return self.hide(order, f"{type(error).__name__}: {error}")

    def trace(self, order: Order, error: BaseException) -> str:
        """Give an error's traceback: lines of code, and what it says."""
        return self.hide(order, "".join(traceback.format_exception(error)))

    def _fields(self, order: Order) -> PersonalFields | None:
        return self._of_flows.get(order.flow.partition("@")[0])


NOBODYS = Personal({})
"""Knows no flow."""


def without_values(text: str) -> str:
    """Take out of what an error says the values that a database or a model shows in it."""
    return _VALUES.sub("", text)


def hidden(text: str, personal: Iterable[str]) -> str:
    """Take these out of a text, the longest first, also where they are spelled as in code."""
    for one in sorted(personal, key=len, reverse=True):
        for spelled in dict.fromkeys((one, repr(one)[1:-1])):
            if len(spelled) >= SURELY_NO_WORD:
                text = text.replace(spelled, HIDDEN)
            elif spelled in text:
                text = re.sub(rf"(?<!\w){re.escape(spelled)}(?!\w)", HIDDEN, text)
    return text


def _texts(value: object, path: Sequence[str]) -> Iterator[str]:
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner, path)
    elif isinstance(value, dict):
        for inner in [value.get(path[0])] if path else value.values():
            yield from _texts(inner, path[1:])
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)


def _take_out(value: object, path: Path, *, leaves: bool) -> None:
    if isinstance(value, list):
        for inner in value:
            _take_out(inner, path, leaves=leaves)
    elif isinstance(value, dict) and path[0] in value:
        if path[1:]:
            _take_out(value[path[0]], path[1:], leaves=leaves)
        elif leaves:
            value[path[0]] = ERASED
        else:
            del value[path[0]]
