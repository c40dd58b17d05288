"""The fixtures of the conformance suites."""

from tests.conformance.queue_fixtures import (
    anyio_backend,
    aws_environment,
    deployment,
    embedded,
    ministack,
    moto,
    queues,
)

__all__ = [
    "anyio_backend",
    "aws_environment",
    "deployment",
    "embedded",
    "ministack",
    "moto",
    "queues",
]
