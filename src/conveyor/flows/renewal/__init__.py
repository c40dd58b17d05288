"""Subscriptions: what is due is charged again and again."""
