"""Riders: who is near and free, the offers that they are made, and the deliveries they ride."""
