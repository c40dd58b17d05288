"""An SQS server that counts its requests, those of processes that show no figures too."""

import json
import urllib.request
from collections import Counter
from contextlib import AbstractContextManager

from tests.servers.ministack import SqsServer, ministack_server

APPLICATION = "benchmarks.counting_app:app"
COUNTS_PATH = "/counts"
RECEIVE = "ReceiveMessage"


def counting_sqs_server() -> AbstractContextManager[SqsServer]:
    """Run MiniStack with the counter in front. Raises ServerFailedError."""
    return ministack_server(application=APPLICATION)


def counts(endpoint_url: str) -> Counter[str]:
    """Give the requests so far by operation; receives also as `ReceiveMessage QUEUE`."""
    with urllib.request.urlopen(endpoint_url + COUNTS_PATH) as answer:
        return Counter(json.load(answer))


def total(counted: Counter[str]) -> int:
    """Give the number of requests: those that name a queue are counted without it already."""
    return sum(count for name, count in counted.items() if " " not in name)
