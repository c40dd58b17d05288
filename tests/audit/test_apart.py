"""Pages that processes of their own look at: they find what ours would have found."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from tests.servers.migrated import migrated_database
from tests.servers.postgres import Postgres

from conveyor.checks import Examined, Page
from conveyor.commerce.orders.model import OrderBody
from conveyor.commerce.orders.placement import Placed
from conveyor.core.tables import orders
from conveyor.operations.audit import AuditReport, apart, run_audit
from conveyor.operations.audit.apart import look_apart
from conveyor.operations.audit.page_looks import Examinees, look_here
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.system.opening import open_app

ORDER: dict[str, Any] = {
    "customer": {"id": "1"},
    "currency": "USD",
    "items": [{"sku": "CD", "quantity": 1, "unit_price": 1177}],
    "total": 1177,
    "payment": {"method": "card_ok"},
}
ORDERS = 5


@pytest.fixture(scope="module")
def postgres_url(postgres: Postgres) -> str:
    return migrated_database(postgres)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An installation with orders that were placed, two of which have something wrong with them."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    settings = Settings(data=tmp_path_factory.mktemp("apart"), database_url=url)
    asyncio.run(_fill(settings))
    return settings


def test_two_processes_find_what_one_does(settings: Settings) -> None:
    async def both() -> None:
        app = await open_app(settings)
        try:
            examinees = Examinees(settings, await _pages(app), app.parts.ambient.now_ms(), 0)
            ours = await look_here(app.installed, Examined(app.parts.database), examinees)
            theirs = await look_apart(examinees, 2)
        finally:
            await app.close()
        assert ours.statuses == theirs.statuses == {"processing": ORDERS}
        for one, other in zip(ours.findings, theirs.findings, strict=True):
            # Which come first among the examples depends on who looks at what.
            assert replace(one, examples=sorted(one.examples)) == replace(
                other, examples=sorted(other.examples)
            )
        violations = {found.name: found.violations for found in theirs.findings}
        assert violations["total_as_ordered"] == 1
        assert violations["versions_by_one"] == 1

    asyncio.run(both())


def test_an_audit_of_many_orders_lets_others_look(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = asyncio.run(_audit(settings))
    _apart_from_the_first_page(monkeypatch)

    assert _said(asyncio.run(_audit(settings))) == _said(alone)


def test_it_looks_itself_where_they_cannot(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alone = asyncio.run(_audit(settings))
    _apart_from_the_first_page(monkeypatch)
    monkeypatch.setattr(sys, "executable", "/bin/false")

    assert _said(asyncio.run(_audit(settings))) == _said(alone)
    assert "the audit goes on in this process" in caplog.text


def _apart_from_the_first_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "PAGES_WORTH_IT", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)


async def _audit(settings: Settings) -> AuditReport:
    app = await open_app(settings)
    try:
        return await run_audit(app)
    finally:
        await app.close()


def _said(report: AuditReport) -> dict[str, Any]:
    return report.as_json() | {"at": None}


async def _pages(app: App) -> list[Page]:
    """Give each order a page, and what is after them one that is empty."""
    by_id = sa.select(orders.c.id).order_by(orders.c.id)
    ids = await app.parts.database.read(lambda tx: list(tx.execute(by_id).scalars()))
    return [Page(after, upto) for after, upto in zip(["", *ids], [*ids, "zz"], strict=True)]


async def _fill(settings: Settings) -> None:
    app = await open_app(settings)
    try:
        ids = []
        for number in range(ORDERS):
            placed = await app.placement.place("default", f"key-{number}", OrderBody(**ORDER))
            assert isinstance(placed, Placed)
            ids.append(placed.order_id)
        wrong = (
            sa.update(orders).where(orders.c.id == ids[0]).values(total=1),
            sa.update(orders).where(orders.c.id == ids[1]).values(version=9),
        )
        await app.parts.database.run(lambda tx: [tx.execute(it) for it in wrong])
        await app.placement.settle()
    finally:
        await app.close()
