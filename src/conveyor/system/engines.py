"""The engine of a system, as its settings say."""

from __future__ import annotations

from conveyor.core.engine import Engine, Limits
from conveyor.core.providers import CallLimits, Providers
from conveyor.core.registry import Registry
from conveyor.core.relay import Relay
from conveyor.core.retries import RetryPolicy
from conveyor.core.traces import Traces
from conveyor.core.watched_queues import WatchedQueues
from conveyor.settings import EMBEDDED, Settings
from conveyor.system.parts import Parts

POSTGRES_LANES = 2
POSTGRES_LINGER_SECONDS = 0.01
SQS_LINGER_SECONDS = 0.05

# What traces name the queues' system: https://opentelemetry.io/docs/specs/semconv/messaging/
SQS_SYSTEM = "aws_sqs"
EMBEDDED_SYSTEM = "conveyor"


def engine_of(settings: Settings, parts: Parts, registry: Registry) -> Engine:
    """Put an engine together; nothing is started."""
    queues = WatchedQueues(parts.queues)
    relay = Relay(parts.database, queues, parts.ambient)
    if parts.tracer is not None:
        embedded = settings.queue_url.startswith(EMBEDDED)
        messaging = EMBEDDED_SYSTEM if embedded else SQS_SYSTEM
        relay.measures.traces = Traces(parts.tracer, parts.ambient, messaging)
    return Engine(
        database=parts.database,
        queues=queues,
        registry=registry,
        ambient=parts.ambient,
        relay=relay,
        retries=RetryPolicy(
            settings.max_receives, settings.backoff_base_seconds, settings.backoff_cap_seconds
        ),
        limits=_limits(settings, parts.database.dialect),
        providers=Providers(
            parts.ambient.random,
            CallLimits(settings.call_timeout_seconds, settings.calls_at_once),
        ),
    )


def _limits(settings: Settings, dialect: str) -> Limits:
    return Limits(
        group_size=settings.group_size,
        in_flight=settings.in_flight,
        lanes=1 if dialect == "sqlite" else POSTGRES_LANES,
        linger_seconds=_linger_seconds(settings, dialect),
        pollers=1 if settings.queue_url.startswith(EMBEDDED) else Limits().pollers,
        grace_seconds=settings.grace_seconds,
        rides=_rides(settings),
    )


def _rides(settings: Settings) -> int:
    """Where there may be other processes, what more than a group is waits where they see it."""
    if not settings.ride_on:
        return 0
    embedded = settings.queue_url.startswith(EMBEDDED)
    return settings.in_flight if embedded else settings.group_size


def _linger_seconds(settings: Settings, dialect: str) -> float:
    """A group's fixed cost is in its round trips: where there are some, fuller groups pay."""
    if not settings.queue_url.startswith(EMBEDDED):
        return SQS_LINGER_SECONDS
    return 0.0 if dialect == "sqlite" else POSTGRES_LINGER_SECONDS
