"""API keys that are old, that nobody uses, or that end soon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conveyor.access.model import ApiKey
from conveyor.access.store import listing
from conveyor.core.transaction import Tx
from conveyor.operations.doctor.findings import Finding, fine, warning

CHECK = "keys"
DAY_MS = 86_400_000
UNUSED_DAYS = 90
OLD_DAYS = 365
ENDS_DAYS = 14
MOST_NAMED = 5


def keys(tx: Tx, now_ms: int) -> Iterator[Finding]:
    """Look at all keys that open something now, of all merchants."""
    live = [
        it
        for it in listing(tx, None)
        if it.revoked_at is None and (it.expires_at is None or it.expires_at > now_ms)
    ]
    unused = [it for it in live if (it.last_used_at or it.created_at) < now_ms - _ms(UNUSED_DAYS)]
    old = [it for it in live if it.created_at < now_ms - _ms(OLD_DAYS) and it not in unused]
    ending = [it for it in live if it.expires_at and it.expires_at < now_ms + _ms(ENDS_DAYS)]
    if unused:
        says = f"{_named(unused)}: unused for {UNUSED_DAYS} days and more, and each still opens"
        yield warning(CHECK, "unused", says, "`conveyor keys revoke KEY`, if nobody needs it")
    if old:
        says = f"{_named(old)}: made over {OLD_DAYS} days ago"
        todo = "make another (`conveyor keys create`), hand it out, and revoke the old one"
        yield warning(CHECK, "old", says, todo)
    if ending:
        says = f"{_named(ending)}: at an end within {ENDS_DAYS} days"
        todo = "make another (`conveyor keys create`) and hand it out before"
        yield warning(CHECK, "ending", says, todo)
    if not (unused or old or ending):
        yield fine(
            CHECK,
            f"{len(live)} {'key' if len(live) == 1 else 'keys'}",
            "none is old, unused or about to end",
        )


def _ms(days: int) -> int:
    return days * DAY_MS


def _named(found: Sequence[ApiKey]) -> str:
    names = [f"{it.id} ({it.label})" if it.label else it.id for it in found[:MOST_NAMED]]
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return ", ".join(names) + more
