"""One statement for a whole batch, on PostgreSQL: its rows come as one array for each parameter.

`UPDATE t SET a = %(a)s WHERE id = %(id)s`, executed for 200 rows, becomes
`UPDATE t SET a = v.a FROM unnest(%(a)s, %(id)s) AS v(a, id) WHERE id = v.id`, executed once, which
costs both the server and our process a fraction of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MIN_ROWS = 4
"""With fewer, one by one is as good."""

_PARAMETER = re.compile(r"%\((\w+)\)s(?:::[A-Z]+)?")
_INSERT = re.compile(r"(INSERT INTO [^(]+\([^)]*\)) VALUES \((.*?)\)( ON CONFLICT .*)?", re.DOTALL)
_UPDATE = re.compile(r"(UPDATE \w+ SET .*) WHERE (.*)", re.DOTALL)
_DELETE = re.compile(r"(DELETE FROM \w+) WHERE (.*)", re.DOTALL)
_TARGET = re.compile(r" ON CONFLICT \(([^)]*)\)")


@dataclass(frozen=True, slots=True)
class SetBased:
    """A statement over arrays; `key` names the parameters that find its rows."""

    sql: str
    names: tuple[str, ...]
    key: tuple[str, ...]

    def bind(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]] | None:
        """Give the arrays; None when two rows may meet: one statement changes a row only once."""
        if len(rows) < MIN_ROWS:
            return None
        if self.key and len({tuple(row[k] for k in self.key) for row in rows}) < len(rows):
            return None
        return {name: [row[name] for row in rows] for name in self.names}


def set_based(sql: str, types: Mapping[str, str]) -> SetBased | None:
    """Rewrite a compiled statement; None for one of another form, which is then run row by row.

    `types` are the SQL types of the parameters that differ from row to row.
    """
    if "SELECT" in sql or "RETURNING" in sql or not all(types.values()):
        return None
    arrays = ", ".join(f"%({name})s::{kind}[]" for name, kind in types.items())
    source = f"unnest({arrays}) AS v({', '.join(types)})"

    def column(found: re.Match[str]) -> str:
        return f"v.{found.group(1)}" if found.group(1) in types else found.group(0)

    body = " ".join(_PARAMETER.sub(column, sql).split())
    if found := _INSERT.fullmatch(body):
        head, values, conflict = found.group(1), found.group(2), found.group(3) or ""
        target = _TARGET.match(conflict)
        key = tuple(name.strip() for name in target.group(1).split(",")) if target else ()
        if not set(key) <= set(types):
            return None
        rewritten = f"{head} SELECT {values} FROM {source}{conflict}"  # noqa: S608 - compiled
    elif found := _UPDATE.fullmatch(body):
        rewritten = f"{found.group(1)} FROM {source} WHERE {found.group(2)}"
        key = _names_in(found.group(2))
    elif found := _DELETE.fullmatch(body):
        rewritten = f"{found.group(1)} USING {source} WHERE {found.group(2)}"
        key = _names_in(found.group(2))
    else:
        return None
    return SetBased(rewritten, tuple(types), key)


def _names_in(condition: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(re.findall(r"\bv\.(\w+)", condition)))
