"""A carrier for development, tests and demonstrations, with books of its own."""
