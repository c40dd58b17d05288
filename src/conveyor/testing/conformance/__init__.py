"""What adapters promise, as classes of tests to subclass; they need pytest."""
