"""Stand-ins for the outside world, durable and steerable, for development, tests and demos."""
