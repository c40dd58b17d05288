"""Amazon SQS, and servers that speak its protocol, through the AWS SDK (`conveyor[aws]`)."""

from conveyor.adapters.sqs.address import SqsAddress, parse_sqs_url
from conveyor.adapters.sqs.queue import SqsTuning
from conveyor.adapters.sqs.queues import SqsQueues

__all__ = ["SqsAddress", "SqsQueues", "SqsTuning", "parse_sqs_url"]
