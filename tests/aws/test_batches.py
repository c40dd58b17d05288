"""Which messages of a batch come again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from conveyor.core.queue import QueueSpec, Received, VisibilityChange
from conveyor.entrypoints.aws_lambda.handed import HandedQueue

BATCHES = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=10)


class Nowhere:
    """A queue of which only the leases are changed."""

    receive_limit = 10

    def __init__(self, *, fifo: bool) -> None:
        self.spec = QueueSpec("bookings", fifo=fifo)
        self.rests: list[VisibilityChange] = []

    async def set_visibility(self, changes: Sequence[VisibilityChange]) -> list[str]:
        self.rests += changes
        return []


def failed(batch: list[tuple[str, bool]], *, fifo: bool) -> list[int]:
    """Give the places in a batch, of groups and whether they are done, of what is to come again."""
    queue = Nowhere(fifo=fifo)
    handed = HandedQueue(queue)  # type: ignore[arg-type]  # no other method is called
    messages = [
        Received("", f"r{at}", str(at), 1, 0, 0, group) for at, (group, _) in enumerate(batch)
    ]
    done = [m.receipt for m, (_, is_done) in zip(messages, batch, strict=True) if is_done]
    rests = [VisibilityChange(m.receipt, 5) for m in messages if m.receipt not in done]

    async def dispose() -> None:
        await handed.delete(done)
        await handed.set_visibility(rests)

    asyncio.run(dispose())
    assert queue.rests == rests
    return [int(message_id) for message_id in handed.failed(messages)]


@given(BATCHES)
def test_of_a_standard_queue_what_is_not_done_comes_again(batch: list[tuple[str, bool]]) -> None:
    assert failed(batch, fifo=False) == [at for at, (_, done) in enumerate(batch) if not done]


@given(BATCHES)
def test_of_a_fifo_queue_what_follows_in_its_group_does_too(
    batch: list[tuple[str, bool]],
) -> None:
    expected = [
        at
        for at, (group, _) in enumerate(batch)
        if any(not done for of, done in batch[: at + 1] if of == group)
    ]
    assert failed(batch, fifo=True) == expected
