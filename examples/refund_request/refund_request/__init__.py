"""Refund requests: a customer asks for money back, and a person decides."""
