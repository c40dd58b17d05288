"""The exceptions of Conveyor. A business refusal is a value (see `outcome`), never one of these."""

from __future__ import annotations


class ConveyorError(Exception):
    """Root of everything Conveyor raises on purpose; facts are attributes."""


class PoisonError(ConveyorError):
    """A message that can never be handled; it goes to the dead-letter queue at once."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class UnknownFlowError(ConveyorError):
    """No flow of this name and version is registered."""

    def __init__(self, flow: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no flow {flow!r}; known flows: {', '.join(known)}")
        self.flow = flow
        self.known = known


class MissingFlowError(UnknownFlowError):
    """An order's flow is not installed here, or no longer in this version."""

    def __init__(self, flow: str, known: tuple[str, ...]) -> None:
        super().__init__(flow, known)
        self.args = (f"the order is of flow {flow}, which is not installed here",)


class UnknownStepError(ConveyorError):
    """No step of this name is registered."""

    def __init__(self, step: str) -> None:
        super().__init__(f"no step {step!r} is registered; is its service installed?")
        self.step = step


class NotAppliedError(ConveyorError):
    """A provider failed, and it is certain that it did not do what was asked.

    The key is as good as before: the next try has the same one.
    """


class KeySpentError(NotAppliedError):
    """Nothing was done, and nothing ever will be with this key: the next try has another.

    Such as where a provider saves an error and plays it back to whoever comes with the same key.
    """


class UnansweredError(ConveyorError):
    """A provider was called and did not answer: what was asked may or may not have been done."""


class RefusedToCompensateError(ConveyorError):
    """A compensation answered with a refusal, which only forward steps may do."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"compensation {step} was refused: {reason}")
        self.step = step
        self.reason = reason


class AlongNotDoneError(ConveyorError):
    """A step that is taken along with another had another outcome than done."""

    def __init__(self, step: str, outcome: object) -> None:
        super().__init__(f"{step} is taken along, and may only be done: {outcome!r}")
        self.step = step
        self.outcome = outcome


class VersionConflictError(ConveyorError):
    """An order changed between its load and its update: the transaction must not commit."""

    def __init__(self, expected: int, updated: int) -> None:
        super().__init__(f"{expected} orders were to move on, {updated} did")
        self.expected = expected
        self.updated = updated


class DataDirectoryInUseError(ConveyorError):
    """Another process owns the database file or data directory."""

    def __init__(self, path: str, owner: str) -> None:
        super().__init__(
            f"{path} is in use by {owner}: one process owns an embedded database. Stop it, talk to "
            "it with --server, or give another --data directory"
        )
        self.path = path
        self.owner = owner


class DatabaseUnavailableError(ConveyorError):
    """The database cannot do it now (disk full, server gone). Nothing was committed: try later."""

    def __init__(self, database: str, cause: str) -> None:
        super().__init__(f"{database} cannot be used now, nothing was committed: {cause}")
        self.database = database
        self.cause = cause


class ReplicaUnableError(DatabaseUnavailableError):
    """The replica cannot show it now: it is too far behind, or replays what was being read."""


class CommitUnknownError(ConveyorError):
    """The connection was lost during COMMIT: the transaction may or may not stand.

    Whoever asked must look before trying again; messages and idempotency keys do so by themselves.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(f"the connection was lost during COMMIT, its outcome is unknown: {cause}")
        self.cause = cause


class UnknownQueueError(ConveyorError):
    """No queue of this name is configured."""

    def __init__(self, queue: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no queue {queue!r}; known queues: {', '.join(known)}")
        self.queue = queue
        self.known = known


class QueuesNotOpenError(ConveyorError):
    """The queues were used before `open()` or after `close()`."""

    def __init__(self) -> None:
        super().__init__("the queues are not open: call open() first, and nothing after close()")


class QueueUnavailableError(ConveyorError):
    """A queue did not do what it was asked now (no answer, disk full): it may at another time."""

    def __init__(self, queue: str, cause: str) -> None:
        super().__init__(f"queue {queue!r} cannot be used now: {cause}")
        self.queue = queue
        self.cause = cause


UNABLE = (DatabaseUnavailableError, CommitUnknownError)
"""What the database raises for its own sake, not for that of what it was asked."""
