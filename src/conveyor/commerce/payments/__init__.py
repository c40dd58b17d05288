"""Payments: authorize, capture, void and refund, each a call to a payment provider."""
