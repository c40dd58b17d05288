"""The services that an operator has paused: orders are taken, and their steps are not."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from conveyor.core.actor import Actor
from conveyor.core.rfc3339 import iso
from conveyor.core.tables import metadata
from conveyor.core.transaction import PerDialect, Tx
from conveyor.core.untyped import DialectInsert

paused_services = sa.Table(
    "paused_services",
    metadata,
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("paused_by", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
_p = paused_services.c
_LIST = sa.select(_p.service, _p.since, _p.paused_by, _p.why).order_by(_p.service)
_FIND = _LIST.where(_p.service == sa.bindparam("of_service"))
_NAMES = sa.select(_p.service)


def _put(insert: DialectInsert) -> sa.Executable:
    # What it gives back tells whether there was none: not every driver counts what it inserts.
    statement = insert(paused_services).on_conflict_do_nothing()
    put: sa.Executable = statement.returning(paused_services.c.service)
    return put


_PUT = PerDialect(_put)
_TAKE_OUT = sa.delete(paused_services).where(_p.service == sa.bindparam("of_service"))

LONG_MS = 3_600_000
"""Whoever has paused a service for longer may have forgotten it: as the alert rule has it."""
SOMEBODY = "somebody"
"""Who it was, where nothing is known of them."""


@dataclass(frozen=True, slots=True)
class PausedService:
    """A service that is paused: since when (milliseconds since the epoch), by whom and why."""

    service: str
    since: int
    by: str
    why: str

    @property
    def says(self) -> str:
        """Say it in words, after the service's name, to who runs the system."""
        return self._said(f" by {self.by}")

    @property
    def says_to_merchants(self) -> str:
        """Say it without who it was: that is the label of somebody else's key."""
        return self._said("")

    def is_long(self, now_ms: int) -> bool:
        """Whether it is paused for so long that somebody should be asked."""
        return now_ms - self.since >= LONG_MS

    def _said(self, by: str) -> str:
        return f"is paused since {iso(self.since)}{by}" + (self.why and f": {self.why}")


def pause(tx: Tx, service: str, actor: Actor, now_ms: int) -> bool:
    """Pause a service; False: it is paused already, and stays so as it was said first."""
    by = actor.holder or actor.place or SOMEBODY
    row = {"service": service, "since": now_ms, "paused_by": by, "why": actor.why}
    return tx.execute(_PUT, row).one_or_none() is not None


def resume(tx: Tx, service: str) -> bool:
    """Let a service go on; False: it was not paused."""
    return tx.execute(_TAKE_OUT, {"of_service": service}).rowcount == 1


def paused(tx: Tx) -> list[PausedService]:
    """List those that are paused, by name."""
    return [PausedService(*row) for row in tx.execute(_LIST)]


def names(tx: Tx) -> frozenset[str]:
    """Name those that are paused: what a process looks at every few seconds."""
    return frozenset(tx.execute(_NAMES).scalars())


def find(tx: Tx, service: str) -> PausedService | None:
    """Say how a service is paused; None: it is not."""
    row = tx.execute(_FIND, {"of_service": service}).one_or_none()
    return PausedService(*row) if row else None
