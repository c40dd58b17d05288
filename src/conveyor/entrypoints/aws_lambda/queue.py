"""The function behind a queue: takes the messages that Lambda hands to it, as a worker would.

It answers with a partial batch response, so the event source needs `ReportBatchItemFailures`: what
is not named there Lambda deletes. Events:
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from conveyor.adapters.sqs.address import parse_sqs_url
from conveyor.commerce.orders.intake_consumer import INTAKE
from conveyor.core.consumer import Consumer
from conveyor.core.errors import ConveyorError
from conveyor.core.queue import QueueSpec
from conveyor.entrypoints.aws_lambda.handed import HandedQueue, HandedQueues, name_in, received
from conveyor.entrypoints.aws_lambda.instance import (
    HAND_BACK_SECONDS,
    LAST_SECONDS,
    Context,
    Instance,
    seconds_left,
)
from conveyor.system.composition import App

_instance = Instance()


class ForeignQueueError(ConveyorError):
    """A queue that is none of this deployment's is an event source of the function."""

    def __init__(self, arn: str, known: Sequence[str]) -> None:
        super().__init__(f"{arn} is none of this deployment's queues: {', '.join(known)}")
        self.arn = arn
        self.known = known


class TooShortError(ConveyorError):
    """The function's time is shorter than a provider may take: it could cut a call off."""

    def __init__(self, left: float, call_seconds: float) -> None:
        super().__init__(
            f"the function has {left:.0f} s left, and a call may take {call_seconds:g} s: give it "
            f"a time-out of more than {call_seconds + HAND_BACK_SECONDS:g} s, or set "
            "CONVEYOR_CALL_TIMEOUT_SECONDS, or what its provider says, lower"
        )
        self.left = left
        self.call_seconds = call_seconds


def handle(event: Mapping[str, Any], context: Context) -> dict[str, list[dict[str, str]]]:
    """Take the messages of an event; gives those that are to come again.

    Raises, so that all of them do, where the system cannot be opened or does not fit the function.
    """
    records: Sequence[Mapping[str, Any]] = event.get("Records", ())
    try:
        failed = _instance.run(lambda app: take(app, records, context)) if records else []
    finally:
        _instance.hand_on(context)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


async def take(app: App, records: Sequence[Mapping[str, Any]], context: Context) -> list[str]:
    """Take the records of an event; gives the ids of the messages that are to come again."""
    by_source: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        by_source.setdefault(record["eventSourceARN"], []).append(record)
    return [
        message_id
        for arn, of_one in by_source.items()
        for message_id in await _take_of(app, _spec_of(app, arn), of_one, context)
    ]


async def _take_of(
    app: App, spec: QueueSpec, records: Sequence[Mapping[str, Any]], context: Context
) -> list[str]:
    left = seconds_left(context)
    call_seconds = app.engine.providers.seconds_of(spec.name)
    if left < call_seconds + HAND_BACK_SECONDS:
        raise TooShortError(left, call_seconds)
    handed = HandedQueue(app.parts.queues.queue(spec.name))
    engine = replace(app.engine, queues=HandedQueues(app.parts.queues, handed))
    consumer = app.intake(engine) if spec.name == INTAKE else Consumer(engine, spec.name)
    messages = [received(record, app.parts.ambient, spec.visibility_seconds) for record in records]
    timer = asyncio.get_running_loop().call_later(left - HAND_BACK_SECONDS, consumer.let_go)
    try:
        async with asyncio.timeout(left - LAST_SECONDS):
            await consumer.handle(messages)
            await app.placement.settle()
    except TimeoutError:
        pass  # what is not done by now is named as failed
    finally:
        timer.cancel()
    return handed.failed(messages)


def _spec_of(app: App, arn: str) -> QueueSpec:
    address = parse_sqs_url(app.settings.queue_url)
    known = {address.queue_name(spec): spec for spec in app.installed.queues}
    spec = known.get(name_in(arn))
    if spec is None:
        raise ForeignQueueError(arn, sorted(known))
    return spec
