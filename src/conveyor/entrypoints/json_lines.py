"""Writes an event of the log as a line of JSON, or as a line of text, for whoever reads it."""

from __future__ import annotations

import logging
import traceback
from itertools import islice
from time import gmtime, strftime
from typing import Any

import orjson

from conveyor.core.order_log import TRACE_ID
from conveyor.core.personal import without_values
from conveyor.core.printable import printable

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_OWN = len(logging.makeLogRecord({}).__dict__)
_STANDARD = frozenset({"message", "asctime", "color_message"})
"""What formatters add to a record; all else are facts that stand beside its words."""
_TRACE = "trace_id"
_TRACEBACK = "traceback"


class JsonLines(logging.Formatter):
    """An object a line: when, how grave, who says it, what; then the facts, each by its name."""

    def __init__(self, end: str = "") -> None:
        """`end` is what a handler wants at the end of a line, that does not write it itself."""
        super().__init__()
        self._end = end
        self._second = 0
        self._prefix = ""

    def format(self, record: logging.LogRecord) -> str:
        """See `Formatter`."""
        line: dict[str, Any] = {
            "at": self._at(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        # A record's own attributes come first: a line for each order must cost next to nothing.
        facts = islice(record.__dict__.items(), _OWN, None)
        line |= {name: fact for name, fact in facts if name not in _STANDARD and fact != ""}
        if trace := TRACE_ID.get():
            line.setdefault(_TRACE, trace)
        if record.exc_info and record.exc_info[1] is not None:
            line[_TRACEBACK] = _traceback(record.exc_info[1])
        return orjson.dumps(line, default=str).decode() + self._end

    def _at(self, created: float) -> str:
        second = int(created)
        if second != self._second:
            self._second, self._prefix = second, strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
        return f"{self._prefix}.{int(created * 1000) % 1000:03}Z"


class TextLines(logging.Formatter):
    """A line for a person; a traceback follows it."""

    def __init__(self) -> None:
        """See `TEXT`."""
        super().__init__(TEXT)

    def format(self, record: logging.LogRecord) -> str:
        """See `Formatter`."""
        line = f"{self.formatTime(record)} {record.levelname} {record.name}: {record.getMessage()}"
        told = getattr(record, _TRACEBACK, "")
        if record.exc_info and record.exc_info[1] is not None:
            told = _traceback(record.exc_info[1])
        return printable(f"{line}\n{told.rstrip()}" if told else line)


def _traceback(error: BaseException) -> str:
    """Give it without what databases and models add to what they say: values of people's."""
    return without_values("".join(traceback.format_exception(error)))
