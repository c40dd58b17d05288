"""The services: the same files in each; none imports another."""
