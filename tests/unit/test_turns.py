"""Within a message group nobody is overtaken, whatever the queues do; other groups go on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.goods_driver import Books
from tests.unit.turns_driver import Line, version

from conveyor.core import interventions
from conveyor.core.group_order import (
    HOLD_BEHIND_PARKED_SECONDS,
    HOLD_SECONDS,
    HOLD_SECONDS_A_PLACE,
    NEXT,
    before,
)
from conveyor.core.order_status import OrderStatus
from conveyor.core.outbox import OwedToken
from conveyor.core.queue import Outgoing
from conveyor.core.registry import Registry
from conveyor.core.relay import Relay
from conveyor.core.step import Now
from conveyor.core.tables import timeline
from conveyor.core.transaction import Tx
from conveyor.core.turns import group_name, take_turn, write_turn
from conveyor.testing.loop import virtual_ambient

PEOPLE = 40
THREADS = 4
ROUNDS = 25


@pytest.fixture
def line(books: Books) -> Line:
    return Line(books)


def passed(books: Books) -> list[str]:
    """Who has passed the gate, in the order in which they did."""
    query = (
        sa.select(timeline.c.order_id)
        .where(timeline.c.step == "gate.pass", timeline.c.event == "done")
        .order_by(timeline.c.id)
    )
    return books.run(lambda tx: list(tx.execute(query).scalars()))


def test_turns_are_counted_in_each_group(line: Line) -> None:
    first = line.come("a", "b", "a")
    second = line.come("a", first=4)
    turns = [(o.group_key, o.sequence) for o in line.orders([*first, *second])]
    assert turns == [("gate/a", 1), ("gate/b", 1), ("gate/a", 2), ("gate/a", 3)]
    assert [line.row(o).sequence for o in first] == [1, 1, 2]


def test_who_comes_before_their_turn_is_owed_it_again_behind_the_others(line: Line) -> None:
    first, second = line.come("a", "a")
    assert line.kinds(second) == ["held"]
    row = line.row(second)
    rest_seconds = HOLD_SECONDS + HOLD_SECONDS_A_PLACE
    assert (row.held, row.due_at) == (True, line.now + rest_seconds * 1000)
    assert line.kinds(first) == ["handled"]
    assert line.kinds(second) == ["handled"]


def come(line: Line) -> list[str]:
    """Who was let come by the last batch."""
    return [owed.order_id for owed in line.owed if owed.queue == "gate"]


def test_whose_turn_is_over_lets_those_who_are_next_come_in_order(line: Line) -> None:
    first, second, third, fourth, fifth = line.come(*"aaaaa")
    line.take(third, second)
    line.take(fifth)
    line.take(first)
    # The fourth has a message of its own, and will let the fifth come.
    assert come(line) == [second.order_id, third.order_id]
    assert not line.row(second).held
    line.take(second, third)
    assert come(line) == []
    line.take(fourth)
    assert come(line) == [fifth.order_id]


def test_nobody_is_let_come_past_one_of_the_batch_who_failed(line: Line) -> None:
    [first] = line.come("a")
    [broken] = line.come("a", doing="break", first=2)
    [third] = line.come("a", first=3)
    line.take(third)
    line.take(first, broken, isolate=True)
    assert come(line) == []
    line.gate.broken = False
    line.take(broken)
    assert come(line) == [third.order_id]


def test_some_are_let_come_at_a_time(line: Line) -> None:
    first, *others = line.come(*"a" * (NEXT + 5))
    line.take(*others)
    line.take(first)
    assert come(line) == [o.order_id for o in others[:NEXT]]


def test_a_batch_in_any_order_is_taken_in_turn(line: Line) -> None:
    people = line.come(*"abab" * 5)
    shuffled = random.Random(3).sample(people, len(people))
    assert set(line.kinds(*shuffled)) == {"handled"}
    assert passed(line.books)[::2] != []
    for name in "ab":
        ours = [o.order_id for o in people if o.turn.group_key.endswith(name)]
        assert [i for i in passed(line.books) if i in ours] == ours


def test_other_groups_do_not_wait(line: Line) -> None:
    _, _, other = line.come("a", "a", "b")
    assert line.kinds(other) == ["handled"]


def test_who_is_at_the_end_has_no_turn(line: Line) -> None:
    [owed] = line.come("a")
    line.take(owed)
    [order] = line.orders([owed])
    assert (order.group_key, order.sequence) == ("", 0)


def test_a_token_that_is_lost_still_comes_before_those_behind_it(line: Line) -> None:
    # Sent, forgotten by the outbox, and lost with the queue: only the order's row is left of it.
    lost, second = line.come("a", "a")
    with line.books.tx() as tx:
        tx.execute(sa.text("DELETE FROM outbox"))
    assert line.kinds(second) == ["held"]
    assert line.kinds(lost, second) == ["handled", "handled"]


def test_an_order_that_awaits_an_answer_has_had_its_turn(line: Line) -> None:
    [waiting] = line.come("a", doing="wait")
    [second] = line.come("a", first=2)
    assert line.kinds(waiting) == ["handled"]
    [order] = line.orders([waiting])
    assert (order.status, order.sequence) == (OrderStatus.AWAITING, 0)
    assert line.kinds(second) == ["handled"]
    assert line.kinds(version(waiting, 2)) == ["handled"]


def test_a_parked_order_holds_back_its_group_and_no_other(line: Line) -> None:
    [parked] = line.come("a", doing="park")
    second, third, other = line.come("a", "a", "b", first=2)
    assert line.kinds(third, parked, second, other) == ["held", "handled", "held", "handled"]
    assert line.row(second).due_at == line.now + HOLD_BEHIND_PARKED_SECONDS * 1000
    assert line.kinds(second) == ["held"]
    front = line.books.run(lambda tx: before(tx, line.orders([third])[0]))
    assert front is not None
    assert (front.order_id, front.status, front.count) == (parked.order_id, OrderStatus.PARKED, 2)


Decide = Callable[[Tx, Registry, str, Now], Any]
DECISIONS: dict[str, Decide] = {
    "redrive": interventions.redrive,
    "compensate": lambda tx, registry, i, now: interventions.compensate(tx, registry, i, now, "no"),
    "discard": lambda tx, registry, i, now: interventions.discard(tx, registry, i, now, "no"),
}


@pytest.mark.parametrize("what", DECISIONS)
def test_what_is_decided_about_a_parked_order_lets_its_group_go_on(line: Line, what: str) -> None:
    [parked] = line.come("a", doing="park")
    second, third = line.come("a", "a", first=2)
    line.take(parked, second, third)
    line.gate.broken = False

    def decide(tx: Tx) -> list[OwedToken]:
        DECISIONS[what](tx, line.registry, parked.order_id, Now(line.now))
        return tx.leave(None).owed

    decided = line.books.run(decide)
    again = line.sweep()
    assert [o.order_id for o in again] == [second.order_id, third.order_id]
    if decided:
        assert line.kinds(second) == ["held"]
        assert line.kinds(*decided) == ["handled"]
    assert line.kinds(second, third) == ["handled", "handled"]


def test_a_fault_in_front_keeps_those_behind_it_waiting(line: Line) -> None:
    [broken] = line.come("a", doing="break")
    second, other = line.come("a", "b", first=2)
    batch = (second, broken, other)
    assert line.kinds(*batch, isolate=True) == ["held", "faulted", "handled"]
    line.gate.broken = False
    assert line.kinds(second, broken) == ["handled", "handled"]
    assert passed(line.books) == [other.order_id, broken.order_id, second.order_id]


def test_who_faults_for_the_last_time_is_parked_and_keeps_the_turn(line: Line) -> None:
    [broken] = line.come("a", doing="break")
    [second] = line.come("a", first=2)
    for receives in (1, 2):
        assert line.kinds(broken, isolate=True, receive_count=receives) == ["faulted"]
    assert line.kinds(broken, isolate=True, receive_count=3) == ["handled"]
    assert line.orders([broken])[0].status == OrderStatus.PARKED
    assert line.kinds(second) == ["held"]


class _Direct:
    """A database for a relay, without a loop of its own."""

    dialect = "sqlite"

    def __init__(self, books: Books) -> None:
        self.run_now = books.run

    async def run(self, work: Any) -> Any:
        return self.run_now(work)


class _Eager:
    """A queue whose consumer is done with a message before its sender knows that it was sent."""

    def __init__(self, consume: Callable[[], object]) -> None:
        self.sent: list[Outgoing] = []
        self._consume = consume

    def queue(self, _name: str) -> _Eager:
        return self

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        self.sent += messages
        self._consume()
        return []


def test_a_relay_that_is_late_does_not_forget_what_is_held(line: Line) -> None:
    first, second = line.come("a", "a")
    queues = _Eager(lambda: line.take(second))
    relay = Relay(_Direct(line.books), queues, virtual_ambient())  # type: ignore[arg-type]
    asyncio.run(relay.send([second]))
    assert line.row(second).held
    asyncio.run(relay.send([first]))  # here too it is held once more, and the first is forgotten
    assert line.row(first) is None
    line.now += round((HOLD_SECONDS + HOLD_SECONDS_A_PLACE) * 1000)
    [again] = line.sweep()
    queues._consume = lambda: None
    asyncio.run(relay.send([again]))
    assert line.row(second) is None
    # Sent a second time it is no duplicate to the queue.
    ids = [message.deduplication_id for message in queues.sent]
    assert len(ids) == len(set(ids)) == 3


def test_turns_of_many_transactions_at_once_have_no_gaps_and_no_deadlocks(books: Books) -> None:
    rng = random.Random(5)
    batches = [[rng.choice("abcdef") for _ in range(10)] for _ in range(THREADS * ROUNDS)]

    def take_all(batch: list[str]) -> list[tuple[str, int]]:
        rows: list[tuple[str, dict[str, int]]] = []
        with books.tx() as tx:
            for name in batch:
                row: dict[str, int] = {}
                turn = take_turn(tx, "gate", name)
                write_turn(tx, turn, row, "sequence")
                rows.append((turn.group_key, row))
        return [(group, row["sequence"]) for group, row in rows]

    if books.engine.dialect.name == "sqlite":  # one writer, as in the embedded system
        taken = [take_all(batch) for batch in batches]
    else:
        with ThreadPoolExecutor(THREADS) as threads:
            taken = list(threads.map(take_all, batches))
    for name in "abcdef":
        turns = [n for batch in taken for group, n in batch if group == f"gate/{name}"]
        assert sorted(turns) == list(range(1, len(turns) + 1))


@pytest.mark.parametrize("name", ["Grand Hôtel", "x" * 200, "a b"])
def test_a_group_that_sqs_would_not_take_is_named_by_its_digest(name: str) -> None:
    given = group_name("gate", name)
    assert given.startswith("gate/")
    assert len(given) <= 128
    assert given.isascii()
    assert given != group_name("gate", name + "!")


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_whatever_the_queue_does_each_group_passes_in_turn(
    sqlite_books: Books, data: st.DataObject
) -> None:
    """Messages are lost, doubled, shuffled and handled in batches of any size."""
    sqlite_books.clear()
    line = Line(sqlite_books)
    names = data.draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=12))
    people = line.come(*names)
    messages = list(people)
    for _ in range(60):
        if not messages:
            break
        size = data.draw(st.integers(1, min(5, len(messages))))
        places = data.draw(st.permutations(range(len(messages))))[:size]
        batch = [messages[at] for at in places]
        lost = data.draw(st.booleans())
        if not lost:
            line.take(*batch, *(batch[:1] if data.draw(st.booleans()) else []))
        messages = [m for at, m in enumerate(messages) if at not in places]
        line.now += 10_000
        messages += line.sweep()
        live = {o.id: o for o in line.orders(people) if o.position == 0}
        owed = {m.order_id for m in messages}
        # What the reconciler would find: no message, no row in the outbox.
        messages += [p for p in people if p.order_id in live and p.order_id not in owed]
    done = passed(sqlite_books)
    for name in "abc":
        ours = [o.order_id for o, n in zip(people, names, strict=True) if n == name]
        went = [i for i in done if i in ours]
        assert went == ours[: len(went)]
    if not messages:
        assert len(done) == len(people)


@pytest.fixture
def sqlite_books(tmp_path: Any) -> Any:
    opened = Books(f"sqlite:///{tmp_path / 'line.db'}")
    yield opened
    opened.close()
