"""Groups form by themselves, and nobody who submits waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from conveyor.core.batching import Batcher
from conveyor.testing.loop import run_virtual

HANDLING_SECONDS = 0.01


class Handler:
    """Doubles numbers, refuses negative ones, and keeps the groups it was given."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []

    async def __call__(self, group: list[int]) -> Sequence[int | BaseException]:
        self.groups.append(group)
        await asyncio.sleep(HANDLING_SECONDS)
        return [2 * it if it >= 0 else ValueError(it) for it in group]


def test_what_arrives_while_a_group_is_handled_forms_the_next() -> None:
    async def main() -> None:
        handler = Handler()
        batcher = Batcher(handler, 3)
        first = batcher.submit(1)
        await asyncio.sleep(HANDLING_SECONDS / 2)
        results = await asyncio.gather(first, *(batcher.submit(it) for it in (2, 3, 4, 5)))
        assert results == [2, 4, 6, 8, 10]
        assert handler.groups == [[1], [2, 3, 4], [5]]

    run_virtual(main())


def test_who_submits_again_as_soon_as_answered_is_answered_again() -> None:
    async def main() -> None:
        batcher = Batcher(Handler(), 3)
        assert [await batcher.submit(it) for it in range(5)] == [0, 2, 4, 6, 8]

    run_virtual(main())


def test_what_is_urgent_forms_the_next_group_alone() -> None:
    async def main() -> None:
        handler = Handler()
        batcher = Batcher(handler, 3)
        first = batcher.submit(1)
        await asyncio.sleep(HANDLING_SECONDS / 2)
        others = [batcher.submit(it) for it in (2, 3)]
        urgent = [batcher.submit(it, urgent=True) for it in (4, 5)]
        assert await asyncio.gather(first, *others, *urgent) == [2, 4, 6, 8, 10]
        assert handler.groups == [[1], [4, 5], [2, 3]]

    run_virtual(main())


def test_for_what_a_handler_leaves_the_next_group_is_begun() -> None:
    groups: list[list[int]] = []

    async def two_at_most(group: list[int]) -> list[int]:
        groups.append(group)
        return group[:2]

    async def main() -> None:
        batcher = Batcher(two_at_most, 9)
        assert await asyncio.gather(*map(batcher.submit, range(5))) == [0, 1, 2, 3, 4]
        assert groups == [[0, 1, 2, 3, 4], [2, 3, 4], [4]]

    run_virtual(main())


def test_an_exception_is_raised_to_its_own_submitter() -> None:
    async def main() -> None:
        batcher = Batcher(Handler(), 3)
        good, bad = batcher.submit(1), batcher.submit(-1)
        assert await good == 2
        with pytest.raises(ValueError, match="-1"):
            await bad

    run_virtual(main())


def test_a_failure_of_the_handler_is_raised_to_all_of_the_group_and_the_next_goes_on() -> None:
    async def fail_once(group: list[int]) -> Sequence[int]:
        if 1 in group:
            raise RuntimeError("broken")
        return group

    async def main() -> None:
        batcher = Batcher(fail_once, 2)
        futures = [batcher.submit(it) for it in (1, 2, 3)]
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert [str(it) for it in results] == ["broken", "broken", "3"]

    run_virtual(main())


@pytest.mark.parametrize(("full_lanes", "groups"), [(False, [1, 1, 1]), (True, [1, 2])])
def test_with_full_lanes_a_second_lane_opens_for_a_full_group_only(
    full_lanes: bool, groups: list[int]
) -> None:
    async def main() -> None:
        handler = Handler()
        batcher = Batcher(handler, 3, lanes=3, full_lanes=full_lanes)
        futures = []
        for number in range(3):
            futures.append(batcher.submit(number))
            await asyncio.sleep(HANDLING_SECONDS / 5)
        await asyncio.gather(*futures)
        assert [len(group) for group in handler.groups] == groups

    run_virtual(main())


def test_full_groups_are_handled_side_by_side() -> None:
    async def main() -> float:
        batcher = Batcher(Handler(), 3, lanes=3, full_lanes=True)
        await asyncio.gather(*(batcher.submit(it) for it in range(9)))
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(HANDLING_SECONDS)


def test_join_waits_for_all_that_was_submitted() -> None:
    async def main() -> None:
        batcher = Batcher(Handler(), 1)
        futures = [batcher.submit(it) for it in range(3)]
        await batcher.join()
        assert all(future.done() for future in futures)

    run_virtual(main())


def test_who_gives_up_waiting_takes_nobody_s_answer_along() -> None:
    async def main() -> None:
        batcher = Batcher(Handler(), 3)
        waiting = [batcher.submit(it) for it in (1, 2, 3)]
        await asyncio.sleep(HANDLING_SECONDS / 2)
        waiting[0].cancel()
        assert await asyncio.gather(*waiting[1:]) == [4, 6]
        assert await batcher.submit(4) == 8

    run_virtual(main())
