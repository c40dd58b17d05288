"""Restaurants: opening hours, how much a kitchen takes on, and the ticket of each order."""
