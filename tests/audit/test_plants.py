"""Whatever is planted in the databases of a clean system, the audit sees and names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.audit.base import Base, found, shown
from tests.audit.on_postgres import PostgresBase
from tests.audit.plants import PLANTS, Plant
from tests.servers.postgres import Postgres

from conveyor.testing.loop import START_MS

AUDIT_MS = 30_000
"""An audit takes time, in which orders go on."""


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return Base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def on_postgres(on_sqlite: Base, postgres: Postgres) -> Iterator[Base]:
    moved = PostgresBase(on_sqlite, postgres.fresh_database())
    yield moved
    moved.close()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def base(request: pytest.FixtureRequest) -> Base:
    """A system with orders of every flow, at rest."""
    given: Base = request.getfixturevalue(f"on_{request.param}")
    return given


def test_the_base_is_clean(base: Base, tmp_path: Path) -> None:
    report = base.planted((), (), tmp_path / "copy")

    assert report.clean, shown(report)


def test_who_is_completed_while_it_runs_is_not_accused(base: Base, tmp_path: Path) -> None:
    later = START_MS + round(base.elapsed * 1000) + AUDIT_MS
    told = f"UPDATE carrier_parcels SET arrives_at = {later}, told_at = NULL"  # noqa: S608

    report = base.planted((), (told,), tmp_path / "copy")

    assert report.clean, shown(report)


def test_what_was_detached_is_not_missed(base: Base, tmp_path: Path) -> None:
    alone = "SELECT id, id, id || '0', 1 FROM orders WHERE settled_at IS NOT NULL"
    theirs = "WHERE order_id IN (SELECT since FROM detached_months)"
    detached = (
        f"INSERT INTO detached_months {alone}",
        f"DELETE FROM timeline {theirs}",  # noqa: S608
        f"DELETE FROM calls {theirs}",  # noqa: S608
    )

    report = base.planted(detached, (), tmp_path / "copy")

    assert report.clean, shown(report)


@pytest.mark.parametrize("plant", PLANTS, ids=[plant.what for plant in PLANTS])
def test_a_planted_violation_is_named(base: Base, tmp_path: Path, plant: Plant) -> None:
    report = base.planted(plant.ours, plant.theirs, tmp_path / "copy")

    named = found(report).get(plant.rule)
    assert named is not None, shown(report)
    wanted = base.ids.get(plant.names, plant.names)
    assert any(wanted in example for example in named) or not wanted, shown(report)
