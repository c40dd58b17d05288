"""The typed bodies of the flows' orders."""
