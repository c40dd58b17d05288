"""The dead-letter desk: parked orders in piles of one cause each, judged and cleared together."""

from __future__ import annotations

from conveyor.operations.desk.clearing import Batch, Plan, clear_some, dry_run
from conveyor.operations.desk.judging import Judgement, Verdict
from conveyor.operations.desk.looking import PilePage, PileSeen, pile_page, pile_seen, piles_seen
from conveyor.operations.desk.members import Member
from conveyor.operations.desk.piles import Pile
from conveyor.operations.desk.sharing import Shared
from conveyor.operations.desk.wanted import Wanted

__all__ = [
    "Batch",
    "Judgement",
    "Member",
    "Pile",
    "PilePage",
    "PileSeen",
    "Plan",
    "Shared",
    "Verdict",
    "Wanted",
    "clear_some",
    "dry_run",
    "pile_page",
    "pile_seen",
    "piles_seen",
]
