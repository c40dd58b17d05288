"""The shop: goods are paid for, reserved and shipped."""
