"""However many orders there were, none is read for another: every statement finds its index."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.crash import scenarios_renewal
from tests.crash.scenarios import SCENARIOS, Lived
from tests.crash.scenarios_food import MEALS
from tests.crash.scenarios_renewal import RENEWALS
from tests.crash.scenarios_travel import JOURNEYS

from conveyor.system.composition import App
from conveyor.testing.virtual import Machine

# What there is only as much of as is under way, or as a merchant has set up.
SMALL = frozenset(
    {"outbox", "plans", "controls", "restaurants", "riders", "fleets", "paused_services"}
)
INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
READS = ("SELECT", "UPDATE", "DELETE", "WITH")


@contextmanager
def recorded() -> Iterator[dict[str, Path]]:
    """Give every statement that is run meanwhile, with the file that it is run on."""
    found: dict[str, Path] = {}

    def note(connection: sa.Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(READS):
            found[statement] = Path(str(connection.engine.url.database))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def scans(statement: str, file: Path) -> list[str]:
    """Give the tables that the statement would read from one end to the other."""
    with closing(sqlite3.connect(file)) as db:
        kinds = dict(db.execute("SELECT name, type FROM sqlite_master"))
        partial = {name for name, sql in db.execute(INDEXES) if " WHERE " in sql}
        parameters = dict.fromkeys(re.findall(r":(\w+)", statement))
        marks = [None] * statement.count("?")
        plan = db.execute(f"EXPLAIN QUERY PLAN {statement}", parameters or marks).fetchall()
    read = [row[3].split() for row in plan if row[3].startswith("SCAN ")]
    return [
        words[1]
        for words in read
        if kinds.get(words[1]) == "table"
        and words[1] not in SMALL
        and words[-1] not in partial
        and not (" LIMIT " in statement and words[2:3])  # a page, in the order of its index
    ]


async def _no_audit(_app: App) -> None: ...


@pytest.mark.parametrize(
    "life",
    [*SCENARIOS[:2], MEALS[0], JOURNEYS[0], RENEWALS[0]],
    ids=["shop", "declined", "food", "travel", "renewal"],
)
def test_no_statement_of_an_orders_life_reads_all_orders(
    life: Lived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenarios_renewal, "assert_clean", _no_audit)  # which reads everything
    with recorded() as statements:
        Machine(tmp_path, life.settings).run(life.life())
    assert len(statements) > 15
    found = {sql: bad for sql, file in statements.items() if (bad := scans(sql, file))}
    assert not found
