"""The outside world behind our ports: queues, databases, providers. Vendors appear only here."""
