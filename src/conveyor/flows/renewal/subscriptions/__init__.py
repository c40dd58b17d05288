"""Subscriptions: plans, billing periods, renewals, and what happens when a charge is declined."""
