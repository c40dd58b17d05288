"""A change that operators make, written down together with who makes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from conveyor.core.actor import Actor
from conveyor.core.engine import Engine
from conveyor.core.operator_actions import noting
from conveyor.core.transaction import Tx

T = TypeVar("T")


async def changed(
    engine: Engine,
    by: Actor,
    action: str,
    work: Callable[[Tx], T],
    *,
    subject: str = "",
    took: Callable[[T], bool] = lambda _: True,
    **detail: object,
) -> T:
    """Change something in a transaction that also writes who does it; gives what `work` gives.

    `took` says of that whether anything was changed.
    """
    now = engine.now()
    whole = noting(work, by, action, now.ms, subject=subject, took=took, **detail)
    return await engine.database.run(whole)
