"""A column whose values are the words of an enumeration."""

from __future__ import annotations

from enum import StrEnum

import sqlalchemy as sa

from conveyor.core.untyped import Foreign


class WordOf(sa.TypeDecorator[StrEnum]):
    """A text that is read as a member of an enumeration.

    A word that is none of its members, written by hand, is read as it stands: the audit names the
    row, and its neighbours in a group do not fail by it.
    """

    impl = sa.Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words
        self._known: dict[str, StrEnum] = {str(word): word for word in words}

    def process_result_value(self, value: str | None, _: sa.Dialect) -> Foreign:
        """Give the member that a value names, else the value."""
        return self._known.get(value, value) if value else value
