"""What can be wrong with a deployment on SQS; each message says what to do about it."""

from __future__ import annotations

from conveyor.core.errors import ConveyorError, QueueUnavailableError
from conveyor.core.printable import without_secrets


class SqsUrlError(ConveyorError):
    """`CONVEYOR_QUEUE_URL` does not name a place on SQS."""

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(
            f"queue URL {without_secrets(url)!r}: {cause}; it is sqs://REGION/PREFIX, as in "
            "sqs://eu-west-1/shop-?endpoint_url=http://127.0.0.1:4566"
        )
        self.url = url
        self.cause = cause


class AwsExtraMissingError(ConveyorError):
    """Conveyor was installed without what it needs for SQS."""

    def __init__(self) -> None:
        super().__init__("Amazon SQS needs the AWS SDK: pip install 'conveyor[aws]'")


class AwsCredentialsError(QueueUnavailableError):
    """The AWS SDK finds no credentials, or SQS does not take those: others may come, in time."""

    def __init__(self, queue: str, cause: str) -> None:
        super().__init__(queue, f"AWS credentials: {cause}")


class QueueNotProvisionedError(ConveyorError):
    """The queue is not there, in this region and account, for these credentials."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"SQS has no queue {queue!r}: create it with `conveyor queues provision`")
        self.queue = queue
