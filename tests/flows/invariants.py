"""The invariants of the design, read straight from the files: an oracle apart from `audit`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from conveyor.testing.invariants.orders import MOVES
from conveyor.testing.invariants.slips import OURS
from conveyor.testing.virtual import BrokenInvariantError

# A step with the first has begun, and is undone if it is not done; one at which an order was
# stopped or turned back, or that was to be taken again, may have.
BEGUN = frozenset({"awaiting"})
MAY_HAVE_BEGUN = frozenset({"again", "parked", "turned_back"})
TERMINAL = ("completed", "cancelled", "refused")


# What a cancellation keeps of the total, once a step is done.
FEES = {"food": ("restaurants.confirm", 0.5)}


def check_settled(directory: Path, *, stocked: int | None) -> None:
    """Whatever happened, once all orders have settled: money, stock, tokens and steps agree.

    `stocked` is None where the flow takes nothing from a stock.
    """
    with _open(directory / "conveyor.db") as db, _open(directory / "provider.db") as provider:
        for row in db.execute("SELECT * FROM orders").fetchall():
            _check_money(db, provider, row)
            _check_story(db, row)
        if stocked is not None:
            _check_stock(db, stocked)
        owed = _column(
            db,
            "SELECT order_id FROM outbox JOIN orders ON orders.id = order_id "
            "AND orders.settled_at IS NOT NULL",
        )
        _require(not owed, f"settled orders are owed tokens: {owed}")
        open_calls = _column(db, "SELECT order_id FROM calls WHERE state IN ('intended','unknown')")
        _require(not open_calls, f"calls without an outcome: {open_calls}")


def check_renewals(directory: Path) -> None:
    """A period of a subscription is charged once at most, and extended exactly when it is."""
    kept: dict[tuple[str, int], list[str]] = {}
    with _open(directory / "conveyor.db") as db, _open(directory / "provider.db") as provider:
        for order_id, body in db.execute("SELECT id, body FROM orders WHERE flow LIKE 'renewal@%'"):
            query = "SELECT operation FROM provider_operations WHERE order_id = ? AND approved"
            done = _column_of(provider, query, order_id)
            _require(len(done) <= 2 and done.count("charge") <= 1, f"{order_id}: {done}")
            if done == ["charge"]:
                placed = json.loads(body)
                key = (placed["subscription"], placed["period"])
                kept.setdefault(key, []).append(order_id)
        extended = set(
            db.execute("SELECT subscription, period FROM renewals WHERE state = 'extended'")
        )
        moving = set(
            db.execute(
                "SELECT subscription, period FROM renewals JOIN orders ON orders.id = order_id "
                "WHERE settled_at IS NULL"
            )
        )
    for key, order_ids in kept.items():
        _require(len(order_ids) == 1, f"{key} was charged by {order_ids}")
    wrong = (set(kept) ^ extended) - moving
    _require(not wrong, f"charged and not extended, or the other way round: {wrong}")


def check_meals(directory: Path) -> None:
    """One rider brings what one restaurant prepared; of an order at its end nothing is left."""
    with _open(directory / "conveyor.db") as db:
        told: dict[str, list[str]] = {}
        loads: dict[str, int] = {}
        for order_id, rider, state in db.execute("SELECT order_id, rider, state FROM offers"):
            told.setdefault(order_id, []).append(state)
            loads[rider] = loads.get(rider, 0) + (state in {"open", "accepted", "picked_up"})
        tickets = dict(db.execute("SELECT order_id, state FROM tickets"))
        written_off = _column(db, "SELECT order_id FROM timeline WHERE event = 'discarded'")
        for order_id, status in db.execute("SELECT id, status FROM orders WHERE flow = 'food@1'"):
            states, ticket = told.get(order_id, []), tickets.get(order_id, "")
            live = {"open", "accepted", "picked_up", "delivered"} & set(states)
            _require(len([s for s in states if s in live]) <= 1, f"two riders: {states}")
            if status == "completed":
                _require(live == {"delivered"}, f"completed, and not brought: {states}")
                _require(ticket == "collected", f"completed, and not collected: {ticket}")
            elif status in TERMINAL:
                brought = {"delivered"} if order_id in written_off else set()
                _require(live <= brought, f"{status}, and a rider has it: {states}")
                over = ticket not in {"asked", "accepted", "ready"}
                _require(over, f"{status}, and the restaurant has it: {ticket}")
        for rider, load, capacity in db.execute("SELECT id, load, capacity FROM riders"):
            _require(load == loads.get(rider, 0) <= capacity, f"{rider} carries {load}")


def _check_money(db: sqlite3.Connection, provider: sqlite3.Connection, row: sqlite3.Row) -> None:
    account = db.execute("SELECT * FROM payments WHERE order_id = ?", (row["id"],)).fetchone()
    ours = dict(account) if account else dict.fromkeys(("authorized", "captured", "refunded"), 0)
    operations = ("authorize", "capture", "charge", "void", "refund")
    theirs: dict[str, list[int]] = {operation: [] for operation in operations}
    query = "SELECT operation, amount FROM provider_operations WHERE order_id = ? AND approved"
    for operation, amount in provider.execute(query, (row["id"],)):
        theirs[operation].append(amount)
    for both in ("authorize", "capture"):
        theirs[both] += theirs["charge"]
    _require(len(theirs["authorize"]) <= 1, f"authorized more than once: {theirs}")
    _require(len(theirs["capture"]) <= 1, f"captured more than once: {theirs}")
    for name, operation in (
        ("authorized", "authorize"),
        ("captured", "capture"),
        ("refunded", "refund"),
    ):
        _require(ours[name] == sum(theirs[operation]), f"books differ: {ours} and {theirs}")
    kept = sum(theirs["capture"]) - sum(theirs["refund"])
    due = row["total"] if row["status"] == "completed" else _fee(db, row)
    _require(kept == due, f"money kept: {theirs}, not {due}")
    held = theirs["authorize"] and not theirs["capture"] and not theirs["void"]
    _require(not held, f"an authorization is left open: {theirs}")


def _fee(db: sqlite3.Connection, row: sqlite3.Row) -> int:
    after, part = FEES.get(row["flow"].partition("@")[0], ("", 0))
    query = "SELECT event, step FROM timeline WHERE order_id = ? ORDER BY id"
    told = list(db.execute(query, (row["id"],)))
    asked = next((at for at, (event, _) in enumerate(told) if event == "cancel_asked"), 0)
    return int(row["total"] * part) if ("done", after) in told[:asked] else 0


def _check_stock(db: sqlite3.Connection, stocked: int) -> None:
    sold = 0
    for status, body in db.execute("SELECT status, body FROM orders"):
        if status == "completed":
            sold += sum(item["quantity"] for item in json.loads(body)["items"])
    received, available, reserved, gone = db.execute(
        "SELECT sum(received), sum(available), sum(reserved), sum(sold) FROM stock"
    ).fetchone()
    found = (received, available, reserved, gone)
    _require(found == (stocked, stocked - sold, 0, sold), f"stock is {found} after {sold} sold")


def _check_story(db: sqlite3.Connection, row: sqlite3.Row) -> None:
    entries = db.execute(
        "SELECT version, event, step FROM timeline WHERE order_id = ? ORDER BY id", (row["id"],)
    ).fetchall()
    # The order's end is an entry without a step, and may be called like a step's outcome.
    moves = [v for v, event, step in entries if event in MOVES and (event, step) != ("refused", "")]
    _require(moves == list(range(1, row["version"])), f"versions do not rise by one: {moves}")
    done = [step for _, event, step in entries if event == "done"]
    body = json.loads(row["body"])
    slip = OURS[row["flow"].partition("@")[0]]
    for step in set(done):
        most = len(body[slip.each[step]]) if step in slip.each else 1
        _require(done.count(step) <= most, f"a step was done too often: {done}")
        exactly = most if row["status"] == "completed" else done.count(step)
        _require(done.count(step) == exactly, f"a step was not done for all: {done}")
    done = [step for step, _ in groupby(done)]
    undo = slip.undo
    forward = list(undo)
    ahead = [step for step in done if step in forward]
    _require(ahead == forward[: len(ahead)], f"steps out of order: {done}")
    backwards = row["status"] != "completed"
    backs = [_back(undo, begun) for begun in _begun(entries, forward, ahead)] if backwards else [[]]
    _require(done[len(ahead) :] in backs, f"not undone in reverse, once: {done}")
    if row["status"] == "completed":
        _require(ahead == forward, f"completed without {set(forward) - set(ahead)}")


def _back(undo: Mapping[str, str], begun: list[str]) -> list[str]:
    return [undo[step] for step in reversed(begun) if undo[step]]


def _begun(
    entries: list[tuple[int, str, str]], forward: list[str], ahead: list[str]
) -> list[list[str]]:
    """The steps that have begun: those that were done and, it may be, the one after them."""
    following = forward[len(ahead) : len(ahead) + 1]
    events = {event for _, event, step in entries if step in following}
    if events & BEGUN:
        return [ahead + following]
    return [ahead, ahead + following] if events & MAY_HAVE_BEGUN else [ahead]


def _require(holds: object, otherwise: str) -> None:
    if not holds:
        raise BrokenInvariantError(otherwise)


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = _row
        yield connection


def _row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Any:
    return sqlite3.Row(cursor, values) if len(values) > 5 else values


def _column_of(connection: sqlite3.Connection, query: str, value: str) -> list[Any]:
    return [row[0] for row in connection.execute(query, (value,))]


def _column(connection: sqlite3.Connection, query: str) -> list[Any]:
    return [row[0] for row in connection.execute(query)]
