"""What a story has left: the invariants are held against it, and the audit has its say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conveyor.operations.audit import run_audit
from conveyor.testing import invariants, lives
from conveyor.testing.town import STRANGER

if TYPE_CHECKING:
    from conveyor.testing.world import World

LOST_WITH_A_BACKUP = frozenset(
    {"books_equal_provider", "undone_ships_nothing", "completed_has_arrived", "shipped_once"}
)
"""What the audit rightly finds once a backup has brought back an older state than the outside's."""
AUDIT_EACH = 4
"""The audit looks at every fourth story: it costs as much as all else."""


async def look(world: World) -> None:
    """Look at all of it; what is broken is said to the world."""
    invariants.check(world)
    await lives.check(world)
    # A user's flow is known by what its checks say: the audit asks them, each time.
    if not world.violations and (world.own or world.story.seed % AUDIT_EACH == 0):
        report = await run_audit(world.processes[0].app)
        for finding in report.findings:
            # Whose flow is not installed stands there, and after hours the audit says so.
            known = [it for it in finding.examples if not it.startswith(STRANGER)]
            if world.restored:  # a token that was dropped is told of an order that is gone
                known = [it for it in known if not it.endswith("in timeline")]
            if known and not (world.restored and finding.name in LOST_WITH_A_BACKUP):
                world.say(f"audit.{finding.name}", str(known[:3]))
