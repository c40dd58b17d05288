"""Logs of long-running processes go to standard error, a line an event.

At a terminal they are text, and only what somebody should look at; else JSON, with a line for each
order that has settled. `CONVEYOR_LOG_FORMAT` and `CONVEYOR_LOG_LEVEL` say otherwise.
"""

from __future__ import annotations

import logging
import os

from conveyor.core import order_log
from conveyor.entrypoints.json_lines import JsonLines, TextLines
from conveyor.entrypoints.log_lines import LineWriter
from conveyor.settings import SettingError, Settings

STANDARD_ERROR = 2
OURS = "conveyor"
AUTO, TEXT, JSON = "auto", "text", "json"
HANDLER_OF_LAMBDA = "LambdaLoggerHandler"
"""How the names of Lambda's own handlers begin."""


def write_logs(settings: Settings) -> None:
    """Write what the settings ask for. Raises `SettingError`.

    Whoever has set up logging before us keeps it as it is.
    """
    as_json = settings.log_format == JSON
    if settings.log_format == AUTO:
        as_json = not os.isatty(STANDARD_ERROR)
    level = _level(settings)
    if not logging.root.handlers:
        _set_levels(level, as_json=as_json)
        # Which thread and process it was, our lines do not say: to find out takes half their time.
        logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
        writer = LineWriter(STANDARD_ERROR)
        writer.setFormatter(JsonLines() if as_json else TextLines())
        logging.root.addHandler(writer)


def write_logs_of_function(settings: Settings) -> None:
    """Do so in a function of Lambda, whose own handler stays, and writes our lines.

    Where the function is set to JSON, Lambda writes that, with our facts in it.
    """
    as_json = settings.log_format != TEXT
    of_lambda = [h for h in logging.root.handlers if type(h).__name__.startswith(HANDLER_OF_LAMBDA)]
    if of_lambda:
        _set_levels(_level(settings), as_json=as_json)
    if as_json and os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() != "JSON":
        for handler in of_lambda:
            handler.setFormatter(JsonLines(end="\n"))
    write_logs(settings)


def leave_orders_out(settings: Settings) -> None:
    """Tell nothing of orders in the log: whoever runs them here shows what becomes of them.

    Unless somebody asked for a level.
    """
    if not settings.log_level and not logging.root.handlers:
        order_log.log.setLevel(logging.CRITICAL)


def _level(settings: Settings) -> int | None:
    levels = logging.getLevelNamesMapping()
    name = settings.log_level.upper()
    if name and name not in levels:
        known = ", ".join(levels)
        raise SettingError("CONVEYOR_LOG_LEVEL", f"{settings.log_level!r} is none of {known}")
    return levels.get(name)


def _set_levels(level: int | None, *, as_json: bool) -> None:
    """Set the level that was asked for, of everybody; else our own, and let others warn."""
    logging.root.setLevel(logging.WARNING if level is None else level)
    if level is None and as_json:
        logging.getLogger(OURS).setLevel(logging.INFO)
