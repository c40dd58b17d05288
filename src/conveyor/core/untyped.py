"""Names for values whose types nobody can say, so that it is read what they are."""

from __future__ import annotations

from typing import Any, TypeAlias

Json: TypeAlias = Any
"""What a JSON document may be: objects, arrays, strings, numbers, booleans, null."""
DialectInsert: TypeAlias = Any
"""SQLAlchemy's `insert` of a dialect, with its ON CONFLICT: they share no type."""
SelectedRow: TypeAlias = Any
"""A row of a query, by the names of its columns."""
Foreign: TypeAlias = Any
"""What a library hands in or expects, and has no type for."""
