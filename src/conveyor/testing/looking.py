"""What a story has left: the invariants are held against it, and the audit has its say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conveyor.adapters.simulated import carrier_ledger, payment_ledger
from conveyor.app.audit import run_audit
from conveyor.testing import invariants
from conveyor.testing.loop import START_MS
from conveyor.testing.town import STRANGER

if TYPE_CHECKING:
    from conveyor.messaging.transaction import Tx
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
    if not world.violations and world.story.seed % AUDIT_EACH == 0:
        world.store.run(lambda tx: _write_ledgers(world, tx))
        report = await run_audit(world.processes[0].app)
        for finding in report.findings:
            # Whose flow is not installed stands there, and after hours the audit says so.
            known = [it for it in finding.examples if not it.startswith(STRANGER)]
            if known and not (world.restored and finding.name in LOST_WITH_A_BACKUP):
                world.say(f"audit.{finding.name}", str(known[:3]))


def _write_ledgers(world: World, tx: Tx) -> None:
    """Write the outside's books where the audit reads them."""
    payment_ledger.add(tx, world.outside.entries)
    for parcel in world.outside.parcels.values():
        at = None if parcel.arrives_at is None else START_MS + round(parcel.arrives_at * 1000)
        taken = (parcel.key, parcel.order_id, parcel.tracking, START_MS)
        carrier_ledger.take(tx, [carrier_ledger.Entry(*taken, at, None)])
