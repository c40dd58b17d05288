"""The audit finds nothing wrong where nothing is, and each thing that we break."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from conveyor.commerce.orders.model import OrderBody
from conveyor.commerce.orders.placement import Placed
from conveyor.commerce.orders.store import find
from conveyor.core.order_status import SETTLED, OrderStatus
from conveyor.flows.shop.inventory.store import import_stock
from conveyor.operations.audit import AuditReport, run_audit
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.system.opening import open_app, running_app

GIVE_UP_SECONDS = 30
MERCHANT = "default"
TOTAL = 1_177
SIX_HOURS_MS = 6 * 3_600_000

# One of each: paid and delivered, free, sold out, not taken by the carrier, declined, parked.
ENDING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("completed", {}),
    ("completed", {"total": 0}),
    ("refused", {"items": [{"sku": "RARE", "quantity": 9}]}),
    ("refused", {"shipping": {"country": "XX"}}),
    ("refused", {"payment": {"method": "card_declined"}}),
    ("parked", {"payment": {"method": "card_down"}}),
)

# Statements name these orders as parameters.
NAMED = {
    "completed": "SELECT min(id) FROM orders WHERE status = 'completed' AND total > 0",
    "rejected": "SELECT id FROM orders WHERE body LIKE '%XX%'",
    "sold_out": "SELECT id FROM orders WHERE body LIKE '%RARE%'",
    "waiting": "SELECT id FROM orders WHERE status = 'awaiting'",
    "stray": "SELECT '01JZZZZZZZZZZZZZZZZZZZZZZZ'",
}

# What is done to the data, and the check that must find it.
BROKEN = [
    ("status_declared", "UPDATE orders SET settled_at = NULL WHERE id = :completed"),
    ("status_declared", "UPDATE orders SET status = 'lost' WHERE id = :completed"),
    ("ending_agrees", "UPDATE orders SET ending = 'cancelled' WHERE id = :completed"),
    ("parked_has_cause", "DELETE FROM parked"),
    ("belongs_to_an_order", "UPDATE calls SET order_id = :stray WHERE order_id = :completed"),
    ("answered_exists", "DELETE FROM orders WHERE id = :completed"),
    (
        "one_key_one_order",
        """INSERT INTO idempotency_keys
        SELECT merchant, 'k', fingerprint, order_id, placed_at FROM idempotency_keys LIMIT 1""",
    ),
    ("key_of_its_merchant", "UPDATE idempotency_keys SET merchant = 'other'"),
    ("captured_within_authorized", "UPDATE payments SET captures = 2 WHERE captures = 1"),
    ("captured_within_authorized", "UPDATE payments SET currency = 'EUR'"),
    (
        "completed_is_paid",
        "UPDATE payments SET captured = captured - 1 WHERE order_id = :completed",
    ),
    (
        "completed_is_paid",  # too much is as wrong as too little
        """UPDATE payments SET authorized = authorized + 1, captured = captured + 1
        WHERE order_id = :completed""",
    ),
    ("undone_owes_nothing", "UPDATE payments SET voided = 0 WHERE order_id = :sold_out"),
    ("undone_owes_nothing", "UPDATE payments SET refunded = 0 WHERE order_id = :rejected"),
    ("books_equal_provider", "UPDATE payments SET authorized = authorized + 1"),
    ("stock_adds_up", "UPDATE stock SET available = available + 1"),
    ("stock_is_reserved_for_orders", "UPDATE reservations SET quantity = quantity + 1"),
    ("no_reservation_stranded", "UPDATE reservations SET state = 'reserved'"),
    ("completed_is_delivered", "UPDATE shipments SET state = 'dispatched'"),
    ("settled_owes_no_token", "UPDATE outbox SET order_id = :completed"),
    ("token_is_current", "UPDATE outbox SET version = version + 1"),
    ("awaiting_has_deadline", "DELETE FROM outbox"),
    ("no_call_in_doubt", "UPDATE calls SET state = 'unknown' WHERE order_id = :completed"),
    (
        "versions_by_one",
        "DELETE FROM timeline WHERE version = 2 AND order_id = :completed",
    ),
    ("versions_by_one", "UPDATE orders SET version = version + 1 WHERE id = :waiting"),
    ("ended_once", "UPDATE timeline SET event = 'done' WHERE event = 'completed'"),
    ("along_the_slip", "UPDATE orders SET position = 1 WHERE id = :waiting"),
    (
        "along_the_slip",
        """UPDATE timeline SET event = 'fault'
        WHERE step = 'payments.capture' AND order_id = :completed""",
    ),
    ("every_step_done", "UPDATE orders SET position = 3 WHERE id = :completed"),
    (
        "compensated_once",
        """UPDATE timeline SET step = 'payments.refund'
        WHERE step = 'payments.void' AND order_id = :rejected""",
    ),
    (
        "compensated_whole",
        """UPDATE timeline SET event = 'fault'
        WHERE step = 'payments.void' AND order_id = :sold_out""",
    ),
    (
        "compensated_in_reverse",
        """UPDATE timeline SET version = version + 9
        WHERE step = 'payments.refund' AND order_id = :rejected""",
    ),
]
BROKEN_PROVIDER = [
    (
        "books_equal_provider",
        "UPDATE provider_operations SET amount = amount + 1 WHERE operation = 'capture'",
    ),
    ("books_equal_provider", "DELETE FROM provider_operations WHERE operation = 'void'"),
    ("books_equal_provider", "UPDATE provider_operations SET order_id = :stray"),
    (
        "shipped_once",
        """INSERT INTO carrier_parcels
        SELECT key || '2', order_id, tracking, taken_at, arrives_at, tell_at, tries, told_at
        FROM carrier_parcels LIMIT 1""",
    ),
]


def _names(cases: list[tuple[str, str]]) -> list[str]:
    return [f"{name}-{number}" for number, (name, _) in enumerate(cases)]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with orders of every fate, at rest."""
    data = tmp_path_factory.mktemp("sound")
    asyncio.run(_run_shop(data))
    return data


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "data"
    shutil.copytree(sound, copy)
    return copy


def test_nothing_is_wrong_with_sound_data(data: Path) -> None:
    report = _audit(data)

    assert [f.name for f in report.findings if f.violations] == []
    assert report.clean
    assert report.orders == len(ENDING) + 1
    assert report.by_status == {"completed": 2, "refused": 3, "parked": 1, "awaiting": 1}


def test_the_books_and_the_ledger_are_added_up(data: Path) -> None:
    report = _audit(data)

    figures = _finding(report, "books_equal_provider").figures
    # Completed, rejected by the carrier and refunded, and the one that is under way.
    sums = {"captured": 3 * TOTAL, "refunded": TOTAL}
    assert figures["USD"] == {"ours": sums, "provider": sums}


@pytest.mark.parametrize(("name", "statement"), BROKEN, ids=_names(BROKEN))
def test_what_is_broken_in_our_data_is_found(data: Path, name: str, statement: str) -> None:
    _break(data / "conveyor.db", statement)

    found = _finding(_audit(data), name)

    assert found.violations > 0
    assert found.examples or name == "one_key_one_order"


@pytest.mark.parametrize(("name", "statement"), BROKEN_PROVIDER, ids=_names(BROKEN_PROVIDER))
def test_what_the_provider_says_otherwise_is_found(data: Path, name: str, statement: str) -> None:
    of_carrier = "carrier_parcels" in statement
    _break(data / ("carrier.db" if of_carrier else "provider.db"), statement)

    assert _finding(_audit(data), name).violations > 0


def test_a_lost_token_is_found_where_the_reconciler_should_have_sent_it_again(data: Path) -> None:
    _break(data / "conveyor.db", "DELETE FROM outbox")
    _break(
        data / "conveyor.db",
        "UPDATE orders SET status = 'processing', expected_at = 0 WHERE id = :waiting",
    )

    assert _finding(_audit(data), "token_not_lost").violations == 0  # nothing runs here
    assert _finding(_audit(data, reconciling_for_ms=SIX_HOURS_MS), "token_not_lost").violations == 1


def test_with_a_call_open_the_provider_may_be_one_call_ahead(data: Path) -> None:
    _break(data / "conveyor.db", "UPDATE payments SET captured = 0, captures = 0, refunded = 0")
    _break(data / "conveyor.db", "UPDATE calls SET state = 'intended'")

    found = _finding(_audit(data), "books_equal_provider")

    assert found.violations == 0
    assert found.figures["left_out_with_a_call_open"] > 0


def test_with_a_call_open_the_books_are_not_ahead_of_the_provider(data: Path) -> None:
    _break(data / "conveyor.db", "UPDATE payments SET authorized = authorized + 1")
    _break(data / "conveyor.db", "UPDATE calls SET state = 'intended'")

    assert _finding(_audit(data), "books_equal_provider").violations > 0


def _audit(data: Path, *, reconciling_for_ms: int | None = None) -> AuditReport:
    async def audit() -> AuditReport:
        app = await open_app(Settings(data=data))
        if reconciling_for_ms is not None:
            app.reconciling_since = app.parts.ambient.now_ms() - reconciling_for_ms
        try:
            return await run_audit(app)
        finally:
            await app.close()

    return asyncio.run(audit())


def _finding(report: AuditReport, name: str) -> Any:
    return next(finding for finding in report.findings if finding.name == name)


def _break(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path.with_name("conveyor.db"))) as ours:
        named = {name: ours.execute(query).fetchone()[0] for name, query in NAMED.items()}
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        changed = connection.execute(statement, named).rowcount
    assert changed > 0, "the statement must break something"


async def _run_shop(data: Path) -> None:
    settings = Settings(data=data, max_receives=1)
    async with running_app(settings) as app:
        stock = [("CD", 100), ("RARE", 1)]
        await app.parts.database.run(lambda tx: import_stock(tx, MERCHANT, stock))
        for number, (ending, changes) in enumerate(ENDING):
            order_id = await _place(app, f"key-{number}", changes)
            assert await _status(app, order_id, SETTLED) == ending
    slow = settings.model_copy(update={"delivery_delay_seconds": 3_600.0})
    async with running_app(slow) as app:
        assert (
            await _status(app, await _place(app, "slow", {}), {OrderStatus.AWAITING}) == "awaiting"
        )


async def _place(app: App, key: str, changes: dict[str, Any]) -> str:
    body: dict[str, Any] = {
        "customer": {"id": "00001"},
        "currency": "USD",
        "items": [{"sku": "CD", "quantity": 1}],
        "total": TOTAL,
        "payment": {"method": "card_ok"},
    }
    answer = await app.placement.place(MERCHANT, key, OrderBody(**(body | changes)))
    assert isinstance(answer, Placed)
    return answer.order_id


async def _status(app: App, order_id: str, wanted: frozenset[str] | set[str]) -> str:
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while True:
            order = await app.parts.database.read(lambda tx: find(tx, order_id, None))
            if order and order.status in wanted:
                return order.status
            await asyncio.sleep(0.01)
