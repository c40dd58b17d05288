"""The embedded queue: Amazon SQS's semantics on a SQLite file, in one process."""

from conveyor.adapters.embedded_queue.queue import RECEIVE_LIMIT
from conveyor.adapters.embedded_queue.queues import EmbeddedQueues

__all__ = ["RECEIVE_LIMIT", "EmbeddedQueues"]
