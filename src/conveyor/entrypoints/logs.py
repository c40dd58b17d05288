"""Logs of long-running processes go to standard error, a line an event."""

from __future__ import annotations

import logging

from conveyor.entrypoints.log_lines import LineWriter
from conveyor.settings import SettingError, Settings

STANDARD_ERROR = 2
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def write_logs(settings: Settings) -> None:
    """Write what the settings ask for. Raises `SettingError`."""
    levels = logging.getLevelNamesMapping()
    name = settings.log_level.upper()
    if name not in levels:
        known = ", ".join(levels)
        raise SettingError("CONVEYOR_LOG_LEVEL", f"{settings.log_level!r} is none of {known}")
    if not logging.root.handlers:  # whoever has set up logging before us keeps it as it is
        writer = LineWriter(STANDARD_ERROR)
        logging.basicConfig(level=levels[name], format=FORMAT, handlers=[writer])
