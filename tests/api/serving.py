"""A whole system that answers HTTP: in a thread of its own, on an ephemeral port."""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
import threading
from collections.abc import Collection, Coroutine, Hashable
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
from fastapi import FastAPI
from tests.servers.waiting import PATIENCE_SECONDS, wait_until

from conveyor.access import store as keys
from conveyor.access.model import SCOPES, new_local_key
from conveyor.entrypoints.console import Links, add_console
from conveyor.entrypoints.edge.server import Listening
from conveyor.entrypoints.http.application import create_http
from conveyor.entrypoints.http.codes import BEFORE_ALL
from conveyor.entrypoints.server import listen, run_until, url_of
from conveyor.flows.shop.shipping.webhooks import write_secret
from conveyor.settings import Settings
from conveyor.system.composition import App
from conveyor.system.opening import open_app

WEBHOOK_SECRET = write_secret(b"a secret between carrier and us!")
MERCHANT = "default"
PATIENT = {"failed_keys_a_minute": 1_000_000, "patience_seconds": 60.0}
"""All tests come from one address, many try keys that open nothing, and others keep us waiting."""

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that meet no TLS: to read the machine's certificates takes longer than a request."""
_DESCRIBED: dict[Hashable, Any] = {}
"""The paths that OpenAPI describes, by the routes: to describe them takes longer than to start."""

T = TypeVar("T")


class Server:
    """Starts with the `with` block and stops cleanly at its end."""

    def __init__(
        self, data: Path, services: Collection[str] | None = None, **settings: Any
    ) -> None:
        given = {"webhook_secret": WEBHOOK_SECRET, "max_receives": 1, **PATIENT, **settings}
        self._settings = Settings(data=data, **given)
        self._services = services
        self._local = new_local_key(secrets.token_bytes, MERCHANT)
        self._socket = listen("127.0.0.1", 0)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._clients: list[httpx.Client] = []
        self._broke: BaseException | None = None
        self.app: App
        self.http: FastAPI
        self.links: Links
        self.url = url_of(self._socket)
        self.local_key = self._local.text

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE_SECONDS)
        assert self._broke is None, self._broke
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()
        self.ask_to_stop()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
        if self._broke is not None:
            raise self._broke

    def ask_to_stop(self) -> None:
        """Do as a signal does, and wait for nothing."""
        self._loop.call_soon_threadsafe(self._stop.set)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the server's own event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)

    def client(self, key: str | None = None) -> httpx.Client:
        """Give a client with this key; '' for none, by default the local key."""
        key = self.local_key if key is None else key
        headers = {"authorization": f"Bearer {key}"} if key else {}
        client = httpx.Client(
            base_url=self.url, headers=headers, timeout=PATIENCE_SECONDS, verify=NO_TLS
        )
        client.event_hooks = {"response": [self._is_described]}
        self._clients.append(client)
        return client

    def client_of(self, merchant: str, scopes: Collection[str] = SCOPES) -> httpx.Client:
        """Give a client with a new key of this merchant."""
        now = self.app.engine.now()
        _, text = self.run(
            self.app.engine.database.run(
                lambda tx: keys.create(
                    tx, secrets.token_bytes, merchant=merchant, scopes=scopes, label="", now=now
                )
            )
        )
        return self.client(text)

    def _is_described(self, answer: httpx.Response) -> None:
        """Hold every answer of every test to what OpenAPI says of its operation."""
        method, path = answer.request.method, answer.request.url.path
        matching = [r for r in self.http.state.routes if r.path_regex.match(path)]
        route = next((r for r in matching if method in r.methods), None)
        if route is None or not route.include_in_schema or answer.status_code == 500:
            return
        problem = answer.headers.get("content-type", "").startswith("application/problem")
        if problem and json.loads(answer.read())["code"] in BEFORE_ALL:
            return  # told of once, for all
        described = _described(self.http)[route.path_format][method.lower()]["responses"]
        assert str(answer.status_code) in described, (method, path, answer.status_code)
        if answer.status_code >= 400:
            content = described[str(answer.status_code)]["content"]["application/problem+json"]
            code = json.loads(answer.read())["code"]
            assert code in content["examples"], (method, path, code)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            self.app = await open_app(self._settings, traced=True)
            try:
                self.http = create_http(self.app, local=self._local)
                self.links = Links(self.app.engine.ambient, secrets.token_bytes)
                add_console(self.http, self.links)
                listening = Listening(self.http, self._socket)
                wanted = self.app.installed.services if self._services is None else self._services
                await run_until(self._stop, self.app, wanted, listening, self._ready.set)
            finally:
                await self.app.close()
        except BaseException as error:  # noqa: BLE001 - raised again by who waits for it
            self._broke = error
        finally:
            self._ready.set()
            self._socket.close()


def _described(http: FastAPI) -> Any:
    told = (route for route in http.state.routes if route.include_in_schema)
    routes = tuple((route.path_format, frozenset(route.methods), route.endpoint) for route in told)
    if routes not in _DESCRIBED:
        _DESCRIBED[routes] = http.openapi()["paths"]
    return _DESCRIBED[routes]


def wait_for(client: httpx.Client, order_id: str, *statuses: str) -> Any:
    """Wait until an order has one of these statuses; gives the order."""
    return wait_until(
        lambda: client.get(f"/v1/orders/{order_id}").json(),
        lambda order: order.get("status") in statuses,
    )


def order_of(**changes: Any) -> dict[str, Any]:
    """Give the body of an order for two CDs; None takes a field away."""
    body: dict[str, Any] = {
        "flow": "shop",
        "reference": "cdnow-1",
        "customer": {"id": "00001", "email": "a@example.com"},
        "currency": "USD",
        "items": [{"sku": "CD", "quantity": 2, "unit_price": 1177}],
        "total": 2354,
        "payment": {"method": "card_ok"},
        "shipping": {"name": "A. Buyer", "city": "Springfield", "country": "US"},
        "metadata": {},
    }
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def paid_by(method: str, **changes: Any) -> dict[str, Any]:
    """Give the body of an order that is paid by this method."""
    return order_of(payment={"method": method}, **changes)


def place(client: httpx.Client, body: dict[str, Any] | None = None, key: str = "") -> str:
    """Place an order; gives its id."""
    headers = {"idempotency-key": key} if key else {}
    answer = client.post("/v1/orders", json=body or order_of(), headers=headers)
    assert answer.status_code == 202, answer.text
    order_id: str = answer.json()["id"]
    return order_id


def stock_up(client: httpx.Client, units: int = 1_000_000) -> None:
    """Make CDs available."""
    assert client.put("/v1/stock/CD", json={"available": units}).status_code == 200


def problem_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Give the problem that an answer must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["detail"]
    return problem


def fields_of(answer: httpx.Response) -> set[str]:
    """Give the fields that a problem names."""
    return {error["field"] for error in problem_of(answer, 422)["errors"]}
