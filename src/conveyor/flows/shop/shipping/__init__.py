"""Shipping: hands goods to a carrier, and waits until it confirms that they arrived."""
