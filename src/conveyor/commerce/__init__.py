"""What flows share: orders, and payments."""
