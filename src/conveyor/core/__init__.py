"""The core: tokens, routing slips, outbox and consumer. Knows no vendor and no service."""
