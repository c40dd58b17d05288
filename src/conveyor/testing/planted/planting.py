"""A planted bug: functions put in place of others, as a tired engineer would have written them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Make = Callable[[Any], Any]
"""Makes the faulty function from the right one."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A bug: `replaced` are the owners, names and makers of what is put in place of what."""

    name: str
    what: str
    flow: str
    replaced: tuple[tuple[Any, str, Make], ...]
    rush: bool = False
    """Whether it is looked for in stories in which all come at once."""

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the bug, for a time."""
        before = [(owner, name, vars(owner)[name]) for owner, name, _ in self.replaced]
        for owner, name, make in self.replaced:
            setattr(owner, name, make(getattr(owner, name)))
        try:
            yield
        finally:
            for owner, name, original in before:
                setattr(owner, name, original)


def bug(
    name: str, what: str, flow: str, *replaced: tuple[Any, str, Make], rush: bool = False
) -> Planted:
    """Describe one."""
    return Planted(name, what, flow, replaced, rush)


def instead(value: object) -> Make:
    """Put this in its place."""
    return lambda _: value


def always(value: object) -> Make:
    """Make a function that gives this, whatever it is asked."""
    return lambda _: lambda *_args, **_kwargs: value


async def _nothing(*_args: object, **_kwargs: object) -> None:
    return None


def nothing(_right: Any) -> Any:
    """Make a coroutine function that does nothing."""
    return _nothing
