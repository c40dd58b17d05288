"""What the unit tests share."""

from tests.unit.book_fixtures import books, postgres_books

__all__ = ["books", "postgres_books"]
