"""Revisions of the tables of this flow, by Alembic."""
