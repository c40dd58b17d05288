"""Meals: a restaurant cooks them, a rider brings them."""
