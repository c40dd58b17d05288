"""How each kind of event of a story is played."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from conveyor.testing import customers, misfortune, operators

if TYPE_CHECKING:
    from conveyor.testing.story import Event
    from conveyor.testing.world import World

Play = Callable[["World", "Event"], Coroutine[Any, Any, None]]

PLAYS: dict[str, Play] = {
    "order": customers.order,
    "again": customers.again,
    "another": customers.another,
    "subscribe": customers.subscribe,
    "card": customers.card,
    "unsubscribe": customers.unsubscribe,
    "cancel": customers.cancel,
    "scan": operators.scan,
    "operator": operators.operator,
    "poison": operators.poison,
    "stock": operators.stock,
    "provider": misfortune.trouble,
    "messages": misfortune.trouble,
    "database": misfortune.trouble,
    "queues": misfortune.trouble,
    "bug": misfortune.bug,
    "suspend": misfortune.suspend,
    "crash": misfortune.crash,
    "clock": misfortune.clock,
    "restore": misfortune.restore,
    "garbage": misfortune.garbage,
    "strangers": misfortune.strangers,
}
