"""Shorten a story that breaks an invariant, for as long as it breaks the same one."""

from __future__ import annotations

from collections.abc import Callable

from conveyor.testing.story import Story

Breaks = Callable[[Story], bool]


def shorten(story: Story, breaks: Breaks) -> Story:
    """Leave out events, in ever smaller pieces; gives the shortest story that still `breaks`."""
    size = max(len(story.kept) // 2, 1)
    while size:
        shorter = _without_pieces(story, size, breaks)
        if shorter is story:
            size //= 2
        else:
            story = shorter
            size = max(min(size, len(story.kept) // 2), 1)
    return story


def _without_pieces(story: Story, size: int, breaks: Breaks) -> Story:
    at = 0
    while at < len(story.kept):
        tried = story.only(story.kept[:at] + story.kept[at + size :])
        if breaks(tried):
            story = tried
        else:
            at += size
    return story
