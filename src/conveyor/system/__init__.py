"""Settings become a running system."""
