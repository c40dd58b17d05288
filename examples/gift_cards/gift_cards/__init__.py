"""Gift cards: a flow of a package of its own."""
