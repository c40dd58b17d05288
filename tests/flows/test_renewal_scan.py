"""The due-scan: two at once, killed in between, paused, slowed, dry, and on the first per cent."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.flows.machines import machine_of
from tests.flows.renewals import (
    MERCHANT,
    Life,
    assert_clean,
    make_plan,
    states,
    subscribe,
    until_quiet,
)

from conveyor.commerce.orders.placement import Placed
from conveyor.commerce.orders.store import find
from conveyor.core.order_status import OrderStatus
from conveyor.flows.renewal.body import RenewalBody
from conveyor.flows.renewal.scan import Scan, Scanned, key_of
from conveyor.flows.renewal.subscriptions import control
from conveyor.flows.renewal.subscriptions.due import count_due
from conveyor.flows.renewal.subscriptions.model import SubscriptionStatus, share_of, shares_in
from conveyor.system.composition import App
from conveyor.testing.crashing import Boundaries, Crash
from conveyor.testing.invariants.files import check_goods
from conveyor.testing.storming import storming
from conveyor.testing.tokens import check_tokens
from conveyor.testing.virtual import Machine

MANY = 2_000
BY_HAND = {"renewal_scan_seconds": 0.0}
CARDS = ("card_ok", "card_ok", "card_flaky", "card_unanswered", "card_stolen")


def names(count: int) -> list[tuple[str, str]]:
    return [(f"s-{number:05}", "card_ok") for number in range(count)]


async def two_scans(app: App) -> list[Scanned]:
    stop = asyncio.Event()
    scan = Scan(app.engine)
    return await asyncio.gather(*(scan.all(scan.run_of(MERCHANT), stop) for _ in range(2)))


@pytest.mark.parametrize(
    "part_of_the_way", [0.5, *(pytest.param(it, marks=pytest.mark.soak) for it in (0.1, 0.9))]
)
def test_every_one_is_charged_once_with_two_scans_and_a_kill_in_between(
    tmp_path: Path, part_of_the_way: float
) -> None:
    async def begin(app: App) -> None:
        await make_plan(app)
        await subscribe(app, names(MANY))

    async def night(app: App) -> None:
        await two_scans(app)
        await until_quiet(app)

    def prepared(name: str) -> Machine:
        world = machine_of("renewal", tmp_path / name, BY_HAND)
        world.run(begin)
        return world

    counted = Boundaries()
    prepared("counted").run(night, counted)
    world = prepared("killed")
    with pytest.raises(Crash):
        world.run(night, Boundaries(round(len(counted.names) * part_of_the_way)))
    check_tokens(world.directory)
    world.run(night)
    check_goods(world.directory)
    assert states(world.directory) == {
        name: (SubscriptionStatus.ACTIVE, 1) for name, _ in names(MANY)
    }
    with closing(sqlite3.connect(world.directory / "provider.db")) as db:
        query = "SELECT count(*), count(DISTINCT order_id) FROM provider_operations WHERE approved"
        assert db.execute(query).fetchone() == (MANY, MANY)


def test_nothing_starts_while_it_is_paused(tmp_path: Path) -> None:
    world = machine_of("renewal", tmp_path / "world", BY_HAND)

    async def life(app: App) -> None:
        await make_plan(app)
        await subscribe(app, names(600))
        database, scan = app.parts.database, Scan(app.engine)
        await scan.page(scan.run_of(MERCHANT), 500)
        await database.run(lambda tx: control.decide(tx, MERCHANT, 0.0, None))
        paused = await scan.some(scan.run_of(MERCHANT))
        assert (paused.started, paused.paused) == (0, True)
        await database.run(lambda tx: control.decide(tx, MERCHANT, 100.0, None))
        resumed = await scan.some(scan.run_of(MERCHANT))
        assert (resumed.started, resumed.more) == (100, False)
        await until_quiet(app)
        await assert_clean(app)

    world.run(life)


def test_the_first_per_cent_are_always_the_same(tmp_path: Path) -> None:
    world = machine_of("renewal", tmp_path / "world", BY_HAND)
    first = {name for name, _ in names(600) if share_of(MERCHANT, name) < shares_in(10)}

    async def life(app: App) -> None:
        await make_plan(app)
        await subscribe(app, names(600))
        scan = Scan(app.engine)
        run = scan.run_of(MERCHANT, 10.0)
        counts = await app.parts.database.read(lambda tx: count_due(tx, run, run.began_at))
        assert counts == {"USD": (len(first), 999 * len(first))}
        done = await scan.some(run)
        assert done.started == len(first)
        await asyncio.sleep(60)

    world.run(life)
    assert {name for name, (_, period) in states(world.directory).items() if period} == first


@pytest.mark.parametrize(("asked", "allowed"), [(100.0, 10.0), (50.0, 10.0), (10.0, 50.0)])
def test_no_more_start_than_the_operator_lets(tmp_path: Path, asked: float, allowed: float) -> None:
    world = machine_of("renewal", tmp_path / "world", BY_HAND)
    first = {name for name, _ in names(300) if share_of(MERCHANT, name) < shares_in(10)}

    async def life(app: App) -> None:
        await make_plan(app)
        await subscribe(app, names(300))
        await app.parts.database.run(lambda tx: control.decide(tx, MERCHANT, allowed, None))
        scan = Scan(app.engine)
        assert (await scan.some(scan.run_of(MERCHANT, asked))).started == len(first)
        await asyncio.sleep(60)

    world.run(life)
    assert {name for name, (_, period) in states(world.directory).items() if period} == first


def test_two_scans_together_keep_to_the_pace(tmp_path: Path) -> None:
    world = machine_of("renewal", tmp_path / "world", BY_HAND)
    per_second, count = 20.0, 400

    async def life(app: App) -> float:
        await make_plan(app)
        await subscribe(app, names(count))
        await app.parts.database.run(lambda tx: control.decide(tx, MERCHANT, 100.0, per_second))
        begun = asyncio.get_running_loop().time()
        done = await two_scans(app)
        assert sum(one.started for one in done) == count
        taken = asyncio.get_running_loop().time() - begun
        await until_quiet(app)
        await assert_clean(app)
        return taken

    taken = world.run(life)
    assert taken >= (count - per_second) / per_second - 0.01
    assert taken <= 1.5 * count / per_second
    query = "SELECT count(*) FROM orders GROUP BY placed_at / 1000"
    with closing(sqlite3.connect(world.directory / "conveyor.db")) as db:
        assert max(n for (n,) in db.execute(query)) <= 2 * per_second  # a bucket, and its refill


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    """How a night ends in which nothing goes wrong."""
    world = machine_of("renewal", tmp_path_factory.mktemp("undisturbed"))
    world.run(mixed_night())
    return states(world.directory)


def mixed_night(purge_after: float | None = None) -> Life:
    async def life(app: App) -> None:
        await make_plan(app)
        mixed = [(name, CARDS[n % len(CARDS)]) for n, (name, _) in enumerate(names(40))]
        await subscribe(app, mixed)
        await two_scans(app)
        if purge_after is not None:
            await asyncio.sleep(purge_after)
            for name in app.installed.services:
                await app.parts.queues.queue(name).purge()
        await until_quiet(app)
        await assert_clean(app)

    return life


def test_every_message_ten_times_shuffled_ends_the_same(
    tmp_path: Path, undisturbed: dict[str, tuple[str, int]]
) -> None:
    world = machine_of("renewal", tmp_path / "storm", {"ride_on": False})
    world.wrap_queues = storming
    world.run(mixed_night())
    check_tokens(world.directory)
    check_goods(world.directory)
    assert states(world.directory) == undisturbed


@pytest.mark.parametrize("after_seconds", [0.0, 0.5, 1.5])
def test_purging_every_queue_loses_no_renewal(
    tmp_path: Path, undisturbed: dict[str, tuple[str, int]], after_seconds: float
) -> None:
    world = machine_of(
        "renewal", tmp_path / "purged", {"payment_latency_seconds": 1.0, "ride_on": False}
    )
    world.run(mixed_night(after_seconds))
    check_tokens(world.directory)
    check_goods(world.directory)
    assert states(world.directory) == undisturbed


def renewal(name: str, period: int, *, total: int = 999) -> RenewalBody:
    return RenewalBody.model_validate(
        {
            "flow": "renewal",
            "customer": {"id": f"c-{name}"},
            "currency": "USD",
            "items": [{"sku": "monthly", "quantity": 1, "unit_price": total}],
            "payment": {"method": "card_ok"},
            "subscription": name,
            "period": period,
        }
    )


def test_orders_that_are_placed_by_hand_pay_for_a_period_once(tmp_path: Path) -> None:
    world = machine_of("renewal", tmp_path / "world", BY_HAND)

    async def place(app: App, key: str, body: RenewalBody) -> str:
        placed = await app.placement.place(MERCHANT, key, body)
        assert isinstance(placed, Placed)
        return placed.order_id

    async def ending(app: App, order_id: str) -> tuple[str, str]:
        order = await app.parts.database.read(lambda tx: find(tx, order_id, None))
        assert order is not None
        return order.status, order.reason

    async def life(app: App) -> None:
        await make_plan(app)
        await subscribe(app, names(1))
        (name, _), *_ = names(1)
        twins = [await place(app, key, renewal(name, 0)) for key in ("one", "other")]
        wrong = [
            await place(app, "later", renewal(name, 7)),
            await place(app, "cheaper", renewal(name, 0, total=1)),
            await place(app, "nobody", renewal("nobody", 0)),
        ]
        await until_quiet_by_hand(app)
        assert sorted([(await ending(app, twin))[0] for twin in twins]) == [
            OrderStatus.COMPLETED,
            OrderStatus.REFUSED,
        ]
        endings = [await ending(app, order_id) for order_id in wrong]
        assert [status for status, _ in endings] == [OrderStatus.REFUSED] * 3
        assert endings[2][1] == "no such subscription: nobody"
        await assert_clean(app)

    world.run(life)
    check_goods(world.directory)
    assert states(world.directory) == {"s-00000": (SubscriptionStatus.ACTIVE, 1)}


def test_an_order_that_has_only_the_key_of_a_renewal_does_not_stop_it(tmp_path: Path) -> None:
    world = machine_of("renewal", tmp_path / "world", BY_HAND)

    async def life(app: App) -> None:
        await make_plan(app)
        await subscribe(app, names(2))
        (name, _), *_ = names(2)
        body = renewal(name, 0, total=1)
        assert isinstance(await app.placement.place(MERCHANT, key_of(name, 0), body), Placed)
        await two_scans(app)
        await until_quiet_by_hand(app)
        await assert_clean(app)

    world.run(life)
    check_goods(world.directory)
    assert states(world.directory) == {name: (SubscriptionStatus.ACTIVE, 1) for name, _ in names(2)}


async def until_quiet_by_hand(app: App) -> None:
    await asyncio.sleep(5)
    await until_quiet(app)
