"""Who is bound for a port: one for everybody, others for some merchants, each by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

UNTOLD = "?"
"""Whom an order has called whose calls were detached: nobody is bound by that name."""

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Bound(Generic[T]):
    """All that are bound, `by_name`: merchants call `of_merchants`, and else the `default`.

    Some may be bound for those orders alone that have called them before.
    """

    default: str
    by_name: Mapping[str, T]
    of_merchants: Mapping[str, str] = field(default_factory=dict)

    def name_for(self, merchant: str, called: str = "") -> str:
        """Give whom an order calls: whom it `called` before, or else its merchant's."""
        if called == UNTOLD and len(self.by_name) == 1:
            called = ""
        return called or self.of_merchants.get(merchant, self.default)

    def get(self, merchant: str, called: str = "") -> T | None:
        """Give the same; None where an order has called one who is not bound any more."""
        return self.by_name.get(self.name_for(merchant, called))

    def each(self, make: Callable[[str, T], U]) -> Bound[U]:
        """Give what is made of each, bound alike."""
        made = {name: make(name, it) for name, it in self.by_name.items()}
        return Bound(self.default, made, self.of_merchants)


def full_name(port: str, name: str) -> str:
    """Say who it is where several are bound for a port."""
    return f"{port} {name}"
