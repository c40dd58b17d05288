"""The order service: takes orders in, and completes them."""
