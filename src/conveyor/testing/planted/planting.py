"""A planted bug: functions put in place of others, as a tired engineer would have written them."""

from __future__ import annotations

import inspect
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
        try:
            for owner, name, make in self.replaced:
                right = getattr(owner, name)
                faulty = make(right)
                _require_fit(f"{self.name}: {name}", right, faulty)
                setattr(owner, name, faulty)
            yield
        finally:
            for owner, name, original in before:
                setattr(owner, name, original)


def _require_fit(name: str, right: Any, faulty: Any) -> None:
    """Let nobody take a call that does not even fit for the bug: it would be found at once.

    Raises `TypeError`.
    """
    if not (inspect.isroutine(right) and inspect.isroutine(faulty)):
        return
    given = inspect.signature(right).parameters.values()
    by_name = {it.name: None for it in given if it.kind is it.KEYWORD_ONLY}
    in_turn = [None for it in given if it.kind in {it.POSITIONAL_ONLY, it.POSITIONAL_OR_KEYWORD}]
    try:
        inspect.signature(faulty).bind(*in_turn, **by_name)
    except TypeError as error:
        raise TypeError(f"{name} cannot be called as what it replaces: {error}") from None


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
