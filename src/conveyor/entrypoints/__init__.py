"""Where a user or a machine comes in: HTTP, the command line, long-running processes."""
