"""Entrypoints open no transactions: what they import is checked by import-linter, the rest here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from conveyor import entrypoints

OPENS = {
    "database": {"run", "read", "examine"},
    "reading": {"run", "read", "examine"},
    "replica": {"read", "examine"},
    "relay": {"commit"},
}


def opened(source: str) -> Iterator[str]:
    """Give what opens a transaction, called or handed on, as it is written."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            *_, of = ast.unparse(node.value).split(".")
            if node.attr in OPENS.get(of.lstrip("_"), ()):
                yield ast.unparse(node)


def test_no_entrypoint_opens_a_transaction() -> None:
    modules = sorted(Path(entrypoints.__path__[0]).rglob("*.py"))
    found = {it.name: [*opened(it.read_text(encoding="utf-8"))] for it in modules}

    assert len(found) > 1
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "source",
    [
        "app.engine.database.read(lambda tx: find(tx, 1))",
        "database.examine(listed)",
        "self._database.run(work)",
        "app.parts.reading.read(work)",
        "look = partial(engine.database.read, work)",
        "engine.relay.commit(work)",
    ],
)
def test_each_way_to_open_one_is_seen(source: str) -> None:
    assert [*opened(source)] != []


def test_what_opens_none_is_let_be() -> None:
    assert [*opened("os.read(0, 64), run(shown), database.close(), listed(database)")] == []
