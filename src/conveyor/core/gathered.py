"""What a transaction keeps by the side, until it writes what it holds: typed, and made when asked.

Each is declared once, beside the table or the rule that it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from conveyor.core.transaction import Tx

K = TypeVar("K")
V = TypeVar("V")


class PerTransaction(Generic[V]):
    """A value that each transaction has of its own."""

    def __init__(self, make: Callable[[Tx], V]) -> None:
        """`make` gives a transaction's value when it is first asked for."""
        self._make = make

    def of(self, tx: Tx) -> V:
        """Give this transaction's value."""
        if self not in tx.beside:
            tx.beside[self] = self._make(tx)
        value: V = tx.beside[self]
        return value


class Gathered(Generic[K, V]):
    """What is read of a table once for a whole group, by key; None for what is not there."""

    def __init__(self, read: Callable[[Tx, Sequence[K]], Mapping[K, V]]) -> None:
        """`read` gives what there is of these keys, no two of which are equal."""
        self._read = read
        self._known: PerTransaction[dict[K, V | None]] = PerTransaction(lambda _: {})

    def gather(self, tx: Tx, keys: Iterable[K]) -> None:
        """Read those that this transaction has not read yet."""
        known = self._known.of(tx)
        if missing := [key for key in dict.fromkeys(keys) if key not in known]:
            known.update(dict.fromkeys(missing))
            known.update(self._read(tx, missing))

    def get(self, tx: Tx, key: K) -> V | None:
        """Give one, gathered or read."""
        known = self._known.of(tx)
        if key not in known:
            self.gather(tx, [key])
        return known[key]

    def knows(self, tx: Tx, key: K) -> bool:
        """Whether it was gathered or put here."""
        return key in self._known.of(tx)

    def put(self, tx: Tx, key: K, value: V | None) -> None:
        """Let the rest of the transaction see what is written, or was read elsewhere."""
        self._known.of(tx)[key] = value

    def forget(self, tx: Tx, keys: Iterable[K]) -> None:
        """Let these be read anew: they were written without being looked at."""
        for key in keys:
            self._known.of(tx).pop(key, None)
