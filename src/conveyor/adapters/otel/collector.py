"""Whether the collector takes what it is sent: told once when it does not, and once when it does.

The SDK would say so at each try.
"""

from __future__ import annotations

import logging
import time

log = logging.getLogger(__name__)


class Collector(logging.Filter):
    """Hears what an exporter of the SDK's says, and tells what there is to know of it."""

    def __init__(self, of: str, exporter: type, then: str) -> None:
        """It is there. It is one `of` these; `then` says what comes of its being away."""
        super().__init__()
        self._what = f"the collector of {of}"
        self._then = then
        self._said = ""
        self._away_since: float | None = None
        logging.getLogger(exporter.__module__).addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """See `Filter`: keep what is said first, which has the reason."""
        self._said = self._said or record.getMessage()
        return log.isEnabledFor(logging.DEBUG)

    def heard(self, *, taken: bool) -> None:
        """Something was sent, and was `taken` or not."""
        said, self._said = self._said, ""
        if taken:
            self._is_back()
        elif self._away_since is None:
            self._away_since = time.monotonic()
            facts = {"event": "away", "dependency": self._what, "cause": said}
            log.warning("%s is away: %s %s", self._what, said, self._then, extra=facts)

    def _is_back(self) -> None:
        if self._away_since is None:
            return
        seconds = time.monotonic() - self._away_since
        self._away_since = None
        facts = {"event": "back", "dependency": self._what, "seconds": seconds}
        log.warning("%s is back, after %.1f s", self._what, seconds, extra=facts)
