"""Access: which merchant a request speaks for, and what it may do."""
