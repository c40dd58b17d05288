"""The dead-letter desk: parked orders in piles of one cause each, judged and cleared together."""

from __future__ import annotations

from conveyor.operations.desk.clearing import Batch, Plan, clear_some, dry_run
from conveyor.operations.desk.judging import Judgement, Verdict
from conveyor.operations.desk.members import Member, members
from conveyor.operations.desk.piles import Pile, find_pile, piles
from conveyor.operations.desk.sharing import Shared, shared_by
from conveyor.operations.desk.wanted import Wanted

__all__ = [
    "Batch",
    "Judgement",
    "Member",
    "Pile",
    "Plan",
    "Shared",
    "Verdict",
    "Wanted",
    "clear_some",
    "dry_run",
    "find_pile",
    "members",
    "piles",
    "shared_by",
]
