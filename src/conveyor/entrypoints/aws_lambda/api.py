"""The function behind a function URL or an API Gateway: the HTTP API.

An order is on disk, and its first token sent, before the answer is given: afterwards the instance
stands still. An event stream ends shortly before the invocation does; whoever follows takes it up
where it ended.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

from fastapi import FastAPI
from mangum import Mangum
from mangum.types import LambdaContext

from conveyor.entrypoints.aws_lambda.instance import (
    HAND_BACK_SECONDS,
    Instance,
    seconds_left,
)
from conveyor.entrypoints.http.application import create_http
from conveyor.system.composition import App

_instance = Instance()


def handle(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request, in the form that it came in."""
    http = _instance.run(_ready)
    stopping = asyncio.Event()
    http.state.stopping = stopping
    timer = _instance.later(seconds_left(context) - HAND_BACK_SECONDS, stopping.set)
    try:
        return _adapter(http)(event, context)
    finally:
        timer.cancel()
        _instance.run(_settle, goes_on=True)
        _instance.hand_on(context)


async def _ready(app: App) -> FastAPI:
    return _http(app)


async def _settle(app: App) -> None:
    await app.placement.settle()


@cache
def _http(app: App) -> FastAPI:
    return create_http(app)


@cache
def _adapter(http: FastAPI) -> Mangum:
    return Mangum(http, lifespan="off")
