"""A group of placements: keys of many merchants, and a database that goes away under it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.flows.test_isolation import ORDER
from tests.unit.core_driver import FLOW, Core

from conveyor.commerce.orders.placement import KeyReused, Placed, Request, place_all
from conveyor.core.errors import CommitUnknownError, DatabaseUnavailableError
from conveyor.core.placing import NewOrder
from conveyor.system.composition import App
from conveyor.testing.loop import run_virtual
from conveyor.testing.virtual import Machine


def request(order_id: str, merchant: str, key: str, fingerprint: str = "f") -> Request:
    new = NewOrder(order_id, merchant, FLOW, "", "c", "USD", 0, "{}")
    return Request(merchant, key, fingerprint, new, frozenset())


def test_a_key_is_its_merchants_own_in_a_group_of_many(tmp_path: Path) -> None:
    async def main() -> None:
        async with Core(tmp_path) as core:
            registry, now = core.engine.registry, core.engine.now()

            async def place(*requests: Request) -> list[object]:
                placed = await core.database.run(lambda tx: place_all(tx, registry, requests, now))
                return list(placed)

            await place(request("1", "ours", "k"))
            answers = await place(
                request("2", "ours", "k"),
                request("3", "theirs", "k"),
                request("4", "ours", "other"),
                request("5", "ours", ""),
                request("6", "theirs", ""),
            )
            assert answers == [
                Placed("1", now.ms, again=True),
                *(Placed(str(number), now.ms, again=False) for number in (3, 4, 5, 6)),
            ]
            assert await place(request("7", "theirs", "k", "another body")) == [KeyReused("k", "3")]
            assert set(await core.owing()) == {"1", "3", "4", "5", "6"}

    run_virtual(main())


async def place_at_once(app: App, *keys: str) -> list[object]:
    """Give what becomes of orders that share a group, each with its key; the first opens a lane."""
    bodies = [app.installed.bodies.read(ORDER) for _ in keys]
    placing = [app.placement.place("m", key, it) for key, it in zip(keys, bodies, strict=True)]
    return list(await asyncio.gather(*placing, return_exceptions=True))


def test_while_the_database_is_away_nobody_of_a_group_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def away(_work: object) -> None:
        nonlocal tries
        tries += 1
        raise DatabaseUnavailableError("the database", "gone")

    async def life(app: App) -> None:
        monkeypatch.setattr(app.parts.database, "run", away)
        answers = await place_at_once(app, *[""] * 50)
        monkeypatch.undo()
        assert {type(answer) for answer in answers} == {DatabaseUnavailableError}
        assert tries < 10  # other loops look, too

    Machine(tmp_path).run(life)


def test_a_commit_that_went_silent_is_told_by_the_keys_and_else_called_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def life(app: App) -> None:
        run = app.parts.database.run

        async def silent(work: Callable[..., Any]) -> None:
            await run(work)
            raise CommitUnknownError("it went")

        monkeypatch.setattr(app.parts.database, "run", silent)
        answers = await place_at_once(app, "first", "", "keyed", "")
        monkeypatch.undo()
        kinds = [type(answer) for answer in answers]
        assert kinds == [Placed, CommitUnknownError, Placed, CommitUnknownError]
        again = await place_at_once(app, "first", "keyed")
        ids = [it.order_id for it in (answers[0], answers[2], *again) if isinstance(it, Placed)]
        assert ids[:2] == ids[2:]

    Machine(tmp_path).run(life)
