"""A bank with an HTTP API, in a thread of its own: the simulated provider behind a real server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from tests.unit.payment_driver import ambient

from conveyor.adapters.simulated.payment_account import Operation
from conveyor.adapters.simulated.payment_ledger import moved_between
from conveyor.adapters.simulated.payments import SimulatedPaymentProvider
from conveyor.adapters.sqlite import SqliteDatabase
from conveyor.checks.pages import FIRST_ID, LAST_ID
from conveyor.commerce.payments.ports import Approved, PaymentAnswer, PaymentRequest
from conveyor.core.errors import KeySpentError, NotAppliedError, UnansweredError
from conveyor.core.transaction import Tx
from conveyor.entrypoints.server import listen, url_of

PATIENCE_SECONDS = 60.0


class Bank:
    """Serves until its `with` block ends; what it keeps is in a file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.socket = listen("127.0.0.1", 0)
        self.url = url_of(self.socket)
        self._provider: SimulatedPaymentProvider
        self._database: SqliteDatabase
        self._ready = threading.Event()
        app = Starlette(
            routes=[
                Route("/operations", self._lookup),
                Route("/statement", self._statement, methods=["POST"]),
                Route("/{operation}", self._operate, methods=["POST"]),
            ]
        )
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(PATIENCE_SECONDS)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()

    async def _main(self) -> None:
        self._database = SqliteDatabase(self.file, inline=False)
        self._provider = SimulatedPaymentProvider(self._database, ambient())
        await self._provider.open()
        self._ready.set()
        await self._server.serve(sockets=[self.socket])
        await self._provider.close()
        await self._database.close()

    async def _operate(self, request: Request) -> Response:
        asked = PaymentRequest(**await request.json())
        act = getattr(self._provider, Operation(request.path_params["operation"]).value)
        try:
            return _told(await act(asked, request.headers["idempotency-key"]))
        except KeySpentError as error:
            return PlainTextResponse(str(error), 409)
        except NotAppliedError as error:
            return PlainTextResponse(str(error), 503)
        except UnansweredError as error:
            return PlainTextResponse(str(error), 504)

    async def _lookup(self, request: Request) -> Response:
        answer = await self._provider.lookup(request.query_params["key"])
        return _told(answer) if answer else PlainTextResponse("no such operation", 404)

    async def _statement(self, request: Request) -> Response:
        wanted = await request.json()
        return JSONResponse(await self._database.read(lambda tx: _sums(tx, wanted)))


def _told(answer: PaymentAnswer) -> JSONResponse:
    if isinstance(answer, Approved):
        return JSONResponse(asdict(answer))
    return JSONResponse({"declined": answer.reason, "final": answer.final})


def _sums(tx: Tx, order_ids: list[str]) -> dict[str, dict[str, Any]]:
    whole = moved_between(tx, FIRST_ID, LAST_ID)
    return {order_id: it._asdict() for order_id, it in whole.items() if order_id in order_ids}


@contextmanager
def running_bank(file: Path) -> Iterator[Bank]:
    """Run one; in this process, so that it is stopped with it."""
    bank = Bank(file)
    bank.start()
    try:
        yield bank
    finally:
        bank.stop()
