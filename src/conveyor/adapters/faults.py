"""Faults that can be switched on in whatever stands in for the outside, to see what comes of them.

They are switched in this process, and are gone with it.
"""

from __future__ import annotations

from collections.abc import Callable


class Fault:
    """One way to break, which is off at first.

    `name` is for addresses and logs. The sentences are for people: `title` says it in some words,
    `does` what it does, `watch` what comes of it.
    """

    def __init__(
        self,
        name: str,
        title: str,
        *,
        does: str,
        watch: str,
        switched: Callable[[], None] = lambda: None,
    ) -> None:
        """`switched` is told whenever it is switched on or off."""
        self.name = name
        self.title = title
        self.does = does
        self.watch = watch
        self.struck = 0
        """How often, since it was switched on."""
        self._switched = switched
        self._is_on = False

    @property
    def is_on(self) -> bool:
        """Whether it strikes."""
        return self._is_on

    def switch(self, *, on: bool) -> None:
        """Switch it on or off; harmless where it is that already."""
        if on and not self._is_on:
            self.struck = 0
        self._is_on = on
        self._switched()

    def strikes(self, times: int = 1) -> bool:
        """Whether it is on; then it is counted."""
        if self._is_on:
            self.struck += times
        return self._is_on


class Breakable:
    """Whoever can be broken on purpose."""

    faults: tuple[Fault, ...] = ()
