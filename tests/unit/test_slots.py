"""Slots for calls: never more than there are, none lost, first come, first served."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from conveyor.core.slots import Slots
from conveyor.testing.loop import run_virtual

COUNT = 2


def test_first_come_first_served() -> None:
    async def main() -> None:
        slots, served = Slots(COUNT), list[int]()

        async def work(number: int) -> None:
            await slots.take()
            served.append(number)
            await asyncio.sleep(1)
            slots.give_back()

        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(work(number) for number in range(6)))
        assert served == [0, 1, 2, 3, 4, 5]
        assert asyncio.get_running_loop().time() - began == 6 / COUNT

    run_virtual(main())


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 6)), max_size=12))
def test_who_is_cancelled_takes_no_slot_along(plans: list[tuple[int, int]]) -> None:
    async def main() -> None:
        slots = Slots(COUNT)
        under_way = 0

        async def work(seconds: int) -> None:
            nonlocal under_way
            await slots.take()
            try:
                under_way += 1
                assert under_way <= COUNT
                await asyncio.sleep(seconds)
            finally:
                under_way -= 1
                slots.give_back()

        loop = asyncio.get_running_loop()
        tasks = [asyncio.create_task(work(seconds)) for seconds, _ in plans]
        for task, (_, cancel_after) in zip(tasks, plans, strict=True):
            loop.call_later(cancel_after, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(COUNT):
            await asyncio.wait_for(slots.take(), 1)

    run_virtual(main())
