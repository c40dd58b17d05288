"""The primary is gone, and its standby is promoted while orders are placed and carried out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import NamedTuple

import pytest
from tests.cli.driver import until
from tests.failover.shop import UNDER_WAY, Shop, all_settle, counted, rows, shop_on
from tests.servers.postgres import Postgres, postgres_server
from tests.servers.standby import (
    SYNCHRONOUS,
    crash,
    either,
    is_behind,
    on,
    promote,
    standby_of,
    stop_following,
    streams,
)

CUSTOMERS, IN_HAND = ("one", "other"), 10
KEPT, LOST = 10, 12
SLOWLY = {"CONVEYOR_PAYMENT_LATENCY_SECONDS": "0.5"}
IDS = "SELECT id FROM orders ORDER BY id"
DROPPED = """
    SELECT count(DISTINCT order_id) FROM timeline
    WHERE NOT EXISTS (SELECT FROM orders WHERE orders.id = timeline.order_id)
"""


class Pair(NamedTuple):
    """A primary and its standby, and the name of a database on both."""

    primary: Postgres
    standby: Postgres
    database: str

    @property
    def url(self) -> str:
        """Where our processes find whichever can be written."""
        return either(self.primary, self.standby, self.database)

    @property
    def promoted(self) -> str:
        """The database on what was the standby."""
        return on(self.standby, self.database)


@contextmanager
def pair(*settings: str) -> Iterator[Pair]:
    """Run both; `settings` are the primary's."""
    with (
        postgres_server(durable=False, more=settings) as primary,
        standby_of(primary) as standby,
    ):
        until(lambda: streams(primary))
        yield Pair(primary, standby, primary.fresh_database().rpartition("/")[2])


def test_with_a_synchronous_standby_no_order_that_was_answered_is_lost(tmp_path: Path) -> None:
    with (
        pair(SYNCHRONOUS) as servers,
        shop_on(tmp_path, servers.url, **SLOWLY) as shop,
        ThreadPoolExecutor() as customers,
    ):
        shop.set_up()
        shop.open()
        shop.start("work", "all")
        enough = Event()
        placing = [customers.submit(shop.place_until, enough, name) for name in CUSTOMERS]
        until(lambda: counted(on(servers.primary, servers.database), UNDER_WAY) > IN_HAND)
        before = len(shop.answered)
        crash(servers.primary)
        promote(servers.standby)
        promoted = len(shop.answered)
        until(lambda: len(shop.answered) > promoted + len(CUSTOMERS))
        enough.set()
        for it in placing:
            it.result()
        statuses = all_settle(servers.promoted)
        there = {one for (one,) in rows(servers.promoted, IDS)}
        audited = shop.audit()

    assert before > 0  # they were placing all the while
    assert set(shop.answered) == there
    assert statuses == {"completed": len(shop.answered)}
    assert audited.code == 0, audited.out


# In the end: tokens of orders that are gone are given back for a minute; orders that are further
# back than their tokens take their steps again once those are found to be lost.
@pytest.mark.soak
@pytest.mark.parametrize("in_the_end", [False, True], ids=["at-once", "in-the-end"])
def test_with_an_asynchronous_standby_the_audit_names_what_is_gone(
    tmp_path: Path, in_the_end: bool
) -> None:
    further_back = KEPT if in_the_end else 0
    with postgres_server(durable=False) as elsewhere, pair() as servers:
        theirs = {
            "CONVEYOR_SIMULATED_DATABASE_URL": elsewhere.fresh_database(),
            # A carrier that has told of a delivery tells of it no more: it is asked by then.
            "CONVEYOR_DELIVERY_DEADLINE_SECONDS": "15",
        }
        with shop_on(tmp_path, servers.url, **theirs) as shop:
            kept, paid, waiting = _lag_behind(servers, shop, further_back)
            crash(servers.primary)
            promote(servers.standby)
            shop.start("work", "all")
            kept += shop.place(KEPT, "after")
            statuses = all_settle(servers.promoted)
            there = [one for (one,) in rows(servers.promoted, IDS)]
            if in_the_end:
                until(lambda: counted(servers.promoted, DROPPED) == LOST)
            audited = shop.audit()

    wrong = {it["name"]: it for it in json.loads(audited.out)["checks"] if it["violations"]}
    assert there == kept
    assert statuses == {"completed": len(kept)}
    assert audited.code == 1
    books_differ = wrong.pop("books_equal_provider")
    assert books_differ["violations"] == LOST
    assert books_differ["figures"]["orders_that_are_not_here"] == paid
    assert wrong.pop("nobody_vanished")["examples"] == waiting[-1:]  # the last before those after
    if in_the_end:
        kept_for_none = wrong.pop("belongs_to_an_order")
        assert kept_for_none["violations"] == LOST
        assert {it.partition(" ")[0] for it in kept_for_none["examples"]} <= set(waiting)
    assert wrong == {}


def _lag_behind(
    servers: Pair, shop: Shop, further_back: int
) -> tuple[list[str], list[str], list[str]]:
    """Give orders that the standby has, and those it lacks: paid for, and with no step taken.

    Of those that it has so many are completed, and it does not know of any of their steps.
    """
    primary = on(servers.primary, servers.database)
    shop.set_up()
    shop.open()
    worker = shop.start("work", "all")
    kept = shop.place(KEPT, "kept")
    all_settle(primary)
    if further_back:
        worker.stop()
        kept += shop.place(further_back, "further-back")
    until(lambda: not is_behind(servers.primary, servers.standby))
    stop_following(servers.standby)
    if further_back:
        worker = shop.start("work", "all")
    paid = shop.place(LOST, "paid")
    all_settle(primary)
    assert shop.audit().code == 0
    worker.stop()
    return kept, paid, shop.place(LOST, "waiting")
