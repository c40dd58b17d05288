"""All checks side by side, each with its deadline."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conveyor.adapters.steady_clock import machine_ms
from conveyor.core.errors import ConveyorError
from conveyor.operations.doctor import (
    database,
    disk,
    extensions,
    queues,
    replication,
    settings_checks,
)
from conveyor.operations.doctor.findings import Finding, Status, failure
from conveyor.operations.doctor.permissions import policies
from conveyor.settings import EMBEDDED, Settings

log = logging.getLogger(__name__)

DEADLINE_SECONDS = 20.0
"""For each check: a few round trips, and one wait of some seconds to see whether a queue moves."""


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, and the rights that each part of the system needs to its queues."""

    findings: Sequence[Finding]
    policies: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong that must be put right; warnings may be left."""
        return all(it.status is not Status.FAILURE for it in self.findings)


async def examine(
    settings: Settings, misspelt: Mapping[str, str], now_ms: Callable[[], int] = machine_ms
) -> Report:
    """Look at everything; `misspelt`: variables that nothing reads, with what may have been meant.

    Raises nothing: what cannot be looked at is a finding.
    """
    checks: dict[str, Awaitable[list[Finding]]] = {
        "settings": settings_checks.check(settings, misspelt),
        "extensions": extensions.check(settings),
        "disk": disk.check(settings),
        "database": database.check(settings, now_ms),
    }
    if settings.database_read_url and settings.database_path is None:
        checks["replica"] = replication.check(settings)
    seen = queues.Seen()
    if not settings.queue_url.startswith(EMBEDDED):
        checks["queues"] = queues.check(settings, seen, now_ms)
    found = await asyncio.gather(*(_within(name, check) for name, check in checks.items()))
    return Report(
        [it for findings in found for it in findings], policies(seen.arns, settings.queue_kms_key)
    )


async def _within(name: str, check: Awaitable[list[Finding]]) -> list[Finding]:
    """Give what a check finds, or that it could not."""
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await check
    except TimeoutError:
        says = f"no answer within {DEADLINE_SECONDS:g} s"
        return [failure(name, name, says, "see whether it runs, and whether the network lets us")]
    except ConveyorError as error:
        return [failure(name, name, str(error), WHAT_TO_DO[name])]
    except Exception as error:
        log.debug("the check of %s broke", name, exc_info=True)
        says = f"it cannot be looked at: {type(error).__name__}: {error}"
        return [failure(name, name, says, WHAT_TO_DO[name])]


WHAT_TO_DO = {
    "settings": "put the setting right",
    "extensions": "put CONVEYOR_EXTENSIONS, or the package, right",
    "disk": "see that this user may read the directory",
    "database": "see CONVEYOR_DATABASE_URL, and whether the server runs",
    "replica": "see CONVEYOR_DATABASE_READ_URL, and whether the server runs",
    "queues": "see CONVEYOR_QUEUE_URL, credentials, and whether the service answers",
}
