"""The simulated carrier on virtual time: days pass in no time, and a crash can come anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from conveyor.adapters.sqlite import SqliteDatabase
from conveyor.core.errors import DatabaseUnavailableError, UnansweredError
from conveyor.core.transaction import Database, Tx
from conveyor.flows.shop.shipping.messages import Delivered, read_confirmation
from conveyor.flows.shop.shipping.ports import (
    ARRIVED,
    IN_TRANSIT,
    LOST,
    Dispatched,
    Parcel,
    Rejected,
)
from conveyor.flows.shop.shipping.webhooks import WebhookKey, write_secret
from conveyor.flows.shop.simulated.arrivals import CLAIM_SECONDS, MAX_TRIES, POST_SECONDS
from conveyor.flows.shop.simulated.carrier import IDLE_SECONDS, SimulatedCarrier
from conveyor.testing.loop import run_virtual, virtual_ambient

T = TypeVar("T")

KEY = WebhookKey([write_secret(b"k" * 32)])
HOUR = 3_600.0
MINUTE = 60.0
OK = 204


def parcel(number: int = 1, *, replaces: str = "", **address: str) -> Parcel:
    return Parcel(f"{number:026d}", address, (("CD", 1),), replaces)


class Receiver:
    """Our webhook: verifies and notes when it heard of which order; `answers` come first."""

    def __init__(self, *answers: int | Exception) -> None:
        self.heard: list[tuple[float, str]] = []
        self.ids: list[str] = []
        self.answers = list(answers)
        self.called = asyncio.Event()
        self.hangs = False

    async def post(self, headers: Mapping[str, str], body: bytes) -> int:
        self.ids.append(KEY.verify(headers, body, virtual_ambient().now_ms()))
        self.called.set()
        assert headers["content-type"] == "application/json"
        if self.hangs:
            await asyncio.sleep(HOUR)
        answer = self.answers.pop(0) if self.answers else OK
        if isinstance(answer, Exception):
            raise answer
        if answer == OK:
            message = read_confirmation(body)
            assert isinstance(message, Delivered)
            self.heard.append((asyncio.get_running_loop().time(), message.order_id))
        return answer


class Counting:
    """A database that counts, and that is out of order while `broken`."""

    def __init__(self, database: Database) -> None:
        self.dialect = database.dialect
        self.runs = self.reads = 0
        self.broken = False
        self._database = database

    async def run(self, work: Callable[[Tx], T]) -> T:
        self.runs += 1
        self._check()
        return await self._database.run(work)

    async def read(self, work: Callable[[Tx], T]) -> T:
        self.reads += 1
        self._check()
        return await self._database.read(work)

    async def examine(self, work: Callable[[Tx], T]) -> T:
        return await self._database.examine(work)

    async def close(self) -> None:
        await self._database.close()

    def _check(self) -> None:
        if self.broken:
            raise DatabaseUnavailableError("ledger", "planted")


class Telling(SimulatedCarrier):
    """One that tells this receiver."""

    receiver: Receiver

    async def run(self, stop: asyncio.Event) -> None:
        await self.arrivals(KEY, self.receiver.post).run(stop)


def carrier(
    database: Database, receiver: Receiver, *, after: float = HOUR, shared: bool = False
) -> Telling:
    telling = Telling(
        database,
        virtual_ambient(),
        deliver_after_seconds=after,
        look_seconds=IDLE_SECONDS if shared else None,
    )
    telling.receiver = receiver
    return telling


async def state(shop: SimulatedCarrier, key: str) -> str | None:
    found = await shop.status(key)
    return found.state if isinstance(found, Dispatched) else None


@asynccontextmanager
async def ledger(path: Path) -> AsyncIterator[Counting]:
    database = Counting(SqliteDatabase(path / "carrier.db", inline=True))
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def running(*carriers: Telling) -> AsyncIterator[None]:
    stop = asyncio.Event()
    for one in carriers:
        await one.open()
    tasks = [asyncio.create_task(one.run(stop)) for one in carriers]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


def test_an_arrival_is_told_when_it_is_due_and_once(tmp_path: Path) -> None:
    async def main() -> list[tuple[float, str]]:
        receiver = Receiver()
        async with ledger(tmp_path) as database:
            shop = carrier(database, receiver)
            async with running(shop):
                taken = await shop.dispatch(parcel(), "k1")
                assert taken == await shop.dispatch(parcel(), "k1")
                assert await shop.status("k1") == taken
                await asyncio.sleep(24 * HOUR)
                assert isinstance(taken, Dispatched)
                assert await shop.status("k1") == Dispatched(taken.tracking, ARRIVED)
        return receiver.heard

    assert run_virtual(main()) == [(HOUR, parcel().order_id)]


def test_a_key_is_one_shipment_even_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        receiver = Receiver()
        async with ledger(tmp_path) as database:
            before = carrier(database, receiver)
            await before.open()
            first, again = await asyncio.gather(
                before.dispatch(parcel(), "k1"), before.dispatch(parcel(), "k1")
            )
            after = carrier(database, receiver)
            async with running(after):
                assert first == again == await after.dispatch(parcel(), "k1")
                await asyncio.sleep(2 * HOUR)
        assert len(receiver.heard) == 1

    run_virtual(main())


def test_without_a_delay_the_confirmation_comes_at_once(tmp_path: Path) -> None:
    async def main() -> list[tuple[float, str]]:
        receiver = Receiver()
        async with ledger(tmp_path) as database:
            shop = carrier(database, receiver, after=0)
            async with running(shop):
                await asyncio.sleep(10.4)
                await asyncio.gather(
                    *(shop.dispatch(parcel(number), f"k{number}") for number in range(250))
                )
                await asyncio.sleep(0.01)
        return receiver.heard

    heard = run_virtual(main())
    assert len({order_id for _, order_id in heard}) == len(heard) == 250
    assert {at for at, _ in heard} == {10.4}


def test_a_receiver_that_fails_is_told_again_with_growing_pauses(tmp_path: Path) -> None:
    async def main() -> Receiver:
        receiver = Receiver(500, ConnectionError("refused"), 404, 302)
        async with ledger(tmp_path) as database:
            shop = carrier(database, receiver, after=0)
            async with running(shop):
                await shop.dispatch(parcel(), "k1")
                await asyncio.sleep(HOUR)
        return receiver

    receiver = run_virtual(main())
    [(at, _)] = receiver.heard
    assert 0.5 + 1 + 2 + 4 <= at <= 1 + 2 + 4 + 8
    assert len(receiver.ids) == 5
    assert len(set(receiver.ids)) == 1


def test_a_receiver_that_never_answers_is_given_up_in_the_end(tmp_path: Path) -> None:
    async def main() -> None:
        receiver = Receiver()
        receiver.hangs = True
        async with ledger(tmp_path) as database:
            shop = carrier(database, receiver, after=0)
            async with running(shop):
                await shop.dispatch(parcel(), "k1")
                await asyncio.sleep(24 * HOUR)
                status = await shop.status("k1")
        assert len(receiver.ids) == MAX_TRIES
        assert isinstance(status, Dispatched)
        assert status.state == ARRIVED

    run_virtual(main())


# It dies in the middle of its post, having put off the end of its claim once.
@pytest.mark.parametrize(
    ("shared", "told_at"), [(True, 1.5 * CLAIM_SECONDS), (False, POST_SECONDS / 2)]
)
def test_what_a_crashed_process_had_claimed_is_told_by_another(
    tmp_path: Path, shared: bool, told_at: float
) -> None:
    async def main() -> list[tuple[float, str]]:
        hanging, receiver = Receiver(), Receiver()
        hanging.hangs = True
        async with ledger(tmp_path) as database:
            crashing = carrier(database, hanging, after=0, shared=shared)
            await crashing.open()
            await crashing.dispatch(parcel(), "k1")
            task = asyncio.create_task(crashing.run(asyncio.Event()))
            await asyncio.sleep(POST_SECONDS / 2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            async with running(carrier(database, receiver, shared=shared)):
                await asyncio.sleep(HOUR)
        assert len(hanging.ids) == 1
        return receiver.heard

    [(at, order_id)] = run_virtual(main())
    assert order_id == parcel().order_id
    assert told_at <= at < told_at + IDLE_SECONDS


def test_several_processes_share_the_telling(tmp_path: Path) -> None:
    async def main() -> None:
        receivers = [Receiver() for _ in range(3)]
        async with ledger(tmp_path) as database:
            carriers = [carrier(database, one, after=MINUTE, shared=True) for one in receivers]
            async with running(*carriers):
                await asyncio.gather(
                    *(carriers[0].dispatch(parcel(number), f"k{number}") for number in range(500))
                )
                await asyncio.sleep(2 * MINUTE)
        heard = [order_id for receiver in receivers for _, order_id in receiver.heard]
        assert sorted(heard) == [f"{number:026d}" for number in range(500)]
        assert all(receiver.heard for receiver in receivers)

    run_virtual(main())


def test_another_process_finds_what_this_one_dispatched(tmp_path: Path) -> None:
    async def main() -> list[tuple[float, str]]:
        receiver = Receiver()
        async with ledger(tmp_path) as database, running(carrier(database, receiver, shared=True)):
            await carrier(database, Receiver(), after=0).dispatch(parcel(), "k1")
            await asyncio.sleep(MINUTE)
        return receiver.heard

    [(at, _)] = run_virtual(main())
    assert at <= IDLE_SECONDS


@pytest.mark.parametrize(("shared", "most"), [(True, MINUTE + 1), (False, 1)])
def test_an_idle_carrier_hardly_looks_and_writes_nothing(
    tmp_path: Path, shared: bool, most: float
) -> None:
    async def main() -> None:
        async with ledger(tmp_path) as database:
            shop = carrier(database, Receiver(), after=HOUR, shared=shared)
            async with running(shop):
                await shop.dispatch(parcel(), "k1")
                database.runs = database.reads = 0
                await asyncio.sleep(MINUTE)
                assert database.runs == 0
                assert database.reads <= most

    run_virtual(main())


def test_a_ledger_that_is_out_of_order_for_a_while_costs_no_confirmation(tmp_path: Path) -> None:
    async def main() -> list[tuple[float, str]]:
        receiver = Receiver()
        async with ledger(tmp_path) as database:
            shop = carrier(database, receiver, after=MINUTE)
            async with running(shop):
                await shop.dispatch(parcel(), "k1")
                database.broken = True
                await asyncio.sleep(5 * MINUTE)
                assert receiver.heard == []
                database.broken = False
                await asyncio.sleep(5 * MINUTE)
        return receiver.heard

    [(at, _)] = run_virtual(main())
    assert 5 * MINUTE <= at <= 5 * MINUTE + 1


def test_stopping_enters_what_was_told(tmp_path: Path) -> None:
    async def main() -> None:
        first, second = Receiver(), Receiver()
        async with ledger(tmp_path) as database:
            shop = carrier(database, first, after=0)
            async with running(shop):
                await shop.dispatch(parcel(), "k1")
                await first.called.wait()
            async with running(carrier(database, second)):
                await asyncio.sleep(HOUR)
        assert len(first.heard) == 1
        assert second.ids == []

    run_virtual(main())


def test_the_address_decides_what_becomes_of_a_parcel(tmp_path: Path) -> None:
    async def main() -> None:
        receiver = Receiver()
        async with ledger(tmp_path) as database:
            shop = carrier(database, receiver, after=MINUTE)
            async with running(shop):
                rejected = await shop.dispatch(parcel(1, country="XX"), "k1")
                await shop.dispatch(parcel(2, city="Nowhere"), "k2")
                await shop.dispatch(parcel(3, city="Limbo"), "k3")
                await shop.dispatch(parcel(3, city="Limbo", replaces="k3"), "k4")
                await shop.dispatch(parcel(4, city="Mute"), "k5")
                with pytest.raises(UnansweredError):
                    await shop.dispatch(parcel(5, city="Silence"), "k6")
                before = [await state(shop, f"k{n}") for n in range(1, 7)]
                await asyncio.sleep(HOUR)
                after = [await state(shop, f"k{n}") for n in range(1, 7)]
        assert rejected == Rejected("XX is not served")
        assert before == [None, LOST, LOST, IN_TRANSIT, IN_TRANSIT, IN_TRANSIT]
        assert after == [None, LOST, LOST, ARRIVED, ARRIVED, ARRIVED]
        assert {order_id[-1] for _, order_id in receiver.heard} == {"3", "5"}

    run_virtual(main())


def test_its_books_can_be_read_through(tmp_path: Path) -> None:
    async def main() -> None:
        async with ledger(tmp_path) as database:
            shop = carrier(database, Receiver())
            await shop.open()
            for number, key in ((1, "k1"), (2, "k2"), (2, "k3")):
                await shop.dispatch(parcel(number), key)
            after_first = await shop.parcels_after("k1")
            assert [it[:2] for it in after_first] == [(k, parcel(2).order_id) for k in ("k2", "k3")]
            assert await shop.parcels_after("k3") == []
            assert (await shop.statement(["k2", "k9"])).keys() == {"k2"}

    run_virtual(main())


def test_the_confirmation_has_an_id_of_its_own_without_a_dot(tmp_path: Path) -> None:
    async def main() -> list[str]:
        receiver = Receiver()
        async with ledger(tmp_path) as database:
            shop = carrier(database, receiver, after=0)
            async with running(shop):
                await shop.dispatch(parcel(1), "a.b/1")
                await shop.dispatch(parcel(2), "a.b/2")
                await asyncio.sleep(MINUTE)
        return receiver.ids

    ids = run_virtual(main())
    assert len(set(ids)) == 2
    assert not [one for one in ids if "." in one]
