"""What the races share."""

from tests.unit.book_fixtures import postgres, postgres_books

__all__ = ["postgres", "postgres_books"]
