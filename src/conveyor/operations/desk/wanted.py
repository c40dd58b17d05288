"""What is to be done to a pile, and what that would do to each of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from conveyor.operations.desk.members import Cursor
from conveyor.operations.previews import Action


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be done to those of a pile that were there by `until`.

    `sees` is the merchant whose they may be, None: anybody's. `chosen` are those that are meant;
    nothing: all of them.
    """

    pile: str
    action: Action
    sees: str | None
    until: int
    chosen: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """An order or a message: what would be done, or why it is `left` as it is; '' if it is not."""

    id: str
    cursor: Cursor
    does: str
    left: str
