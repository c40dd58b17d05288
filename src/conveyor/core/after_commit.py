"""What a transaction leaves to be done once it stands, be it sent, logged or counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from conveyor.core.measures import Measured
    from conveyor.core.order_log import Line
    from conveyor.core.outbox import OwedToken

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AfterCommit(Generic[T]):
    """What a work gave, the tokens that are to be sent, and what is told of it: see `relay.commit`.

    `told` is for the log, `measured` for the figures.
    """

    result: T
    owed: list[OwedToken]
    told: list[Line]
    measured: list[Measured]
