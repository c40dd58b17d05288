"""Inventory: what is in stock, what is reserved for an order, and what was sold."""
