"""Where the queues of a deployment are on SQS: what `sqs://REGION/PREFIX` says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from conveyor.adapters.sqs.errors import SqsUrlError
from conveyor.core.printable import without_secrets
from conveyor.core.queue import QueueSpec

SCHEME = "sqs"
FIFO_SUFFIX = ".fifo"
_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")
_PREFIX = re.compile(r"[A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class SqsAddress:
    """A region, what the names of all queues begin with, and an endpoint other than Amazon's."""

    region: str
    prefix: str = ""
    endpoint_url: str | None = None

    def queue_name(self, spec: QueueSpec) -> str:
        """Give the queue's name on SQS."""
        return f"{self.prefix}{spec.name}{FIFO_SUFFIX if spec.fifo else ''}"


def parse_sqs_url(url: str) -> SqsAddress:
    """Read `sqs://eu-west-1/shop-?endpoint_url=http://127.0.0.1:4566`. Raises SqsUrlError."""
    parts = urlsplit(url)
    prefix = parts.path.removeprefix("/")
    if parts.scheme != SCHEME:
        raise SqsUrlError(url, f"the scheme is {parts.scheme!r}")
    if not _REGION.fullmatch(parts.netloc):
        raise SqsUrlError(url, f"{without_secrets(parts.netloc)!r} is not the name of a region")
    if not _PREFIX.fullmatch(prefix):
        raise SqsUrlError(url, f"the prefix {prefix!r} is not of letters, digits, - and _")
    return SqsAddress(parts.netloc, prefix, _endpoint_url(url, parts.query))


def _endpoint_url(url: str, query: str) -> str | None:
    values = parse_qs(query, keep_blank_values=True)
    unknown = values.keys() - {"endpoint_url"}
    if unknown:
        raise SqsUrlError(url, f"there is no setting {', '.join(sorted(unknown))}")
    if not values:
        return None
    endpoint = urlsplit(values["endpoint_url"][-1])
    if endpoint.scheme not in {"http", "https"} or not endpoint.netloc:
        raise SqsUrlError(url, "endpoint_url is not an http or https URL")
    return endpoint.geturl()
