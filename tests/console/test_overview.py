"""What the overview counts, of whom, and what it says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa
from tests.api.serving import Server, paid_by, place, stock_up, wait_for
from tests.servers.memory import directory_in_memory
from tests.servers.waiting import PATIENCE_SECONDS, wait_until

from conveyor.core.transaction import Tx
from conveyor.core.workers import SILENT_MS, Worker, listing, say_alive
from conveyor.operations.overview import FlowLine, Overview, Overviews, Standing, Station, overviews
from conveyor.operations.overview.open_orders import _COUNT


@pytest.fixture(scope="module")
def idle() -> Iterator[Server]:
    """A system in which nobody takes a step."""
    with directory_in_memory() as home, Server(home, ("orders",)) as running:
        yield running


def looked(server: Server, merchant: str | None) -> Overview:
    return server.run(Overviews(server.app.engine).of(merchant))


def waiting(overview: Overview) -> int:
    return next(line for line in overview.lines if line.name == "shop").stations[0].count("waiting")


def test_each_merchant_sees_its_own_and_who_runs_it_sees_all(idle: Server) -> None:
    before = waiting(looked(idle, None))
    for merchant, many in (("one", 2), ("two", 3)):
        client = idle.client_of(merchant)
        for _ in range(many):
            place(client)
    assert [waiting(looked(idle, merchant)) for merchant in ("one", "two", "three")] == [2, 3, 0]
    assert waiting(looked(idle, None)) == before + 5


def test_what_has_ended_is_told_by_rate_time_and_reason(server: Server) -> None:
    client = server.client_of("ending")
    stock_up(client)
    ended = [place(client, paid_by(method)) for method in ("card_ok", "card_declined")]
    for order in ended:
        wait_for(client, order, "completed", "refused")
    together = Overviews(server.app.engine)
    seen = wait_until(
        lambda: server.run(together.of("ending")),
        lambda overview: overview.ended_a_minute == 2,
    )
    shop = next(line for line in seen.lines if line.name == "shop")
    assert (seen.placed_a_minute, shop.ends_a_minute, seen.open) == (2, 2, 0)
    assert [station.a_minute for station in shop.stations] == [1, 1, 1, 1, 1]
    assert seen.refused == [("card declined", 1)]
    assert seen.p50 is not None
    assert seen.p99 is not None
    assert seen.p50 <= seen.p99 < 20_000
    assert server.run(together.of("nobody")).ended_a_minute == 0


def test_a_page_waits_for_no_history(idle: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overviews, "PATIENCE_SECONDS", 0.0)
    together = Overviews(idle.app.engine)
    first = idle.run(together.of(None))
    assert first.placed_a_minute is None
    assert all(station.a_minute is None for line in first.lines for station in line.stations)
    wait_until(
        lambda: idle.run(together.of(None)), lambda overview: overview.placed_a_minute is not None
    )


def test_open_orders_are_found_on_their_own_index(idle: Server) -> None:
    def plan(tx: Tx) -> str:
        text = _COUNT.compile(tx.connection, compile_kwargs={"literal_binds": True})
        return str(tx.connection.execute(sa.text(f"EXPLAIN QUERY PLAN {text}")).all())

    assert "orders USING INDEX orders_open" in idle.run(idle.app.engine.database.read(plan))


def test_a_process_says_that_it_lives_and_takes_itself_off_the_list() -> None:
    with directory_in_memory() as home:
        with Server(home, ("orders", "payments")) as running:
            read = running.app.engine.database.read
            (worker,) = wait_until(lambda: running.run(read(listing)), bool)
            assert worker.services == ("api", "orders", "payments")
        with Server(home, ()) as other:
            assert worker.id not in {
                it.id for it in other.run(other.app.engine.database.read(listing))
            }


def test_a_process_that_is_silent_is_told_of(idle: Server) -> None:
    now = idle.app.engine.ambient.now_ms()
    silent = Worker("w", "gone", 7, "0.1", ("payments",), now - 60_000, now - SILENT_MS - 1)
    idle.run(idle.app.engine.database.run(lambda tx: say_alive(tx, silent)))
    visitor = httpx.Client(
        base_url=idle.url, headers={"sec-fetch-site": "same-origin"}, timeout=PATIENCE_SECONDS
    )
    with visitor:
        visitor.post("/console/sign-in", data={"key": idle.local_key})
        page = wait_until(lambda: visitor.get("/console").text, lambda text: "gone" in text)
    assert "silent since" in page


def station(waits: int, a_minute: int | None, oldest_ms: int = 1_000) -> Station:
    return Station("a.b", "", Counter({Standing.WAITING: waits}), a_minute, oldest_ms)


def test_a_backlog_is_told_as_time() -> None:
    line = FlowLine("f", 1, [station(100, 60), station(20, 30), station(0, 0)])
    assert line.backlog == 120
    # The second station has to let all of them past.
    assert line.cleared_in_ms == 4 * 60_000
    assert line.stuck is None


def test_what_nothing_gets_past_is_named() -> None:
    line = FlowLine("f", 1, [station(0, 0), station(3, 0, oldest_ms=90_000)])
    assert line.stuck is line.stations[1]
    assert line.cleared_in_ms is None
    assert FlowLine("f", 1, [station(3, None, oldest_ms=90_000)]).stuck is None
