"""The function on a schedule: what goes by the clock, and not by messages.

Timers that are due, what a crash left in the outbox, tokens that were lost, holds that expire,
renewals. It runs the loops that workers run beside their consumers, for a part of each minute:
a timer is late by what is left of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from conveyor.adapters.sqs.address import parse_sqs_url
from conveyor.entrypoints.aws_lambda.figures import told
from conveyor.entrypoints.aws_lambda.instance import (
    HAND_BACK_SECONDS,
    Context,
    Instance,
    seconds_left,
)
from conveyor.system.composition import App

TICK_SECONDS = 20.0
"""How long a tick lasts: enough for a look at everything, with pauses as the loops make them."""

_instance = Instance()


def handle(event: Mapping[str, Any], context: Context) -> dict[str, int]:  # noqa: ARG001 - a schedule says nothing
    """Tend to a system for a while; gives how many requests that were to its queues."""
    try:
        return _instance.run(lambda app: _tick(app, context))
    finally:
        _instance.hand_on(context)


async def _tick(app: App, context: Context) -> dict[str, int]:
    done = await tend(app, context)
    # Last: whoever hears nothing of it knows that a tick has not come to its end.
    print(await told(app, parse_sqs_url(app.settings.queue_url).prefix), flush=True)  # noqa: T201 - CloudWatch reads standard output
    return done


async def tend(app: App, context: Context) -> dict[str, int]:
    """Run the loops for `TICK_SECONDS`, or what the invocation has."""
    stop = asyncio.Event()
    seconds = min(TICK_SECONDS, seconds_left(context) - HAND_BACK_SECONDS)
    timer = asyncio.get_running_loop().call_later(max(seconds, 0), stop.set)
    requests = app.parts.queues.requests
    try:
        await app.tend(stop)
    finally:
        timer.cancel()
    return {"requests": app.parts.queues.requests - requests}
