"""Restaurants and riders for development, tests and demonstrations."""
