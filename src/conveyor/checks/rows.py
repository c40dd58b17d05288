"""Holds the rows of a table, or of a join, against one condition."""

from __future__ import annotations

import sqlalchemy as sa

from conveyor.checks.columns import Column
from conveyor.checks.finding import MAX_EXAMPLES, Finding
from conveyor.core.transaction import Tx


def check_rows(
    tx: Tx, finding: Finding, among: tuple[sa.FromClause, Column, Column], broken: Column
) -> Finding:
    """Count into the finding.

    `among` is where to look, the column that names a row, and which of the rows belong to it;
    `broken` is true of one that violates it.
    """
    source, name, belongs = among
    examined = sa.select(sa.func.count()).select_from(source).where(belongs)
    wrong = sa.and_(belongs, broken)
    violations = sa.select(sa.func.count()).select_from(source).where(wrong)
    examples: list[str] = []
    if count := int(tx.execute(violations).scalar_one()):
        some = sa.select(name).select_from(source).where(wrong).limit(MAX_EXAMPLES)
        examples = list(tx.execute(some).scalars())
    finding.add(int(tx.execute(examined).scalar_one()), count, examples)
    return finding
