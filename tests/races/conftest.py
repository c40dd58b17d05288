"""What the races share."""

from tests.unit.book_fixtures import postgres_books

__all__ = ["postgres_books"]
