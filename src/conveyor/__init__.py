"""Conveyor carries orders over Amazon SQS, from taken to completed or undone."""
