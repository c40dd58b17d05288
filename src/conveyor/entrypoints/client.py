"""A client of the API: over the network, or straight into an API in this process."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from http import HTTPStatus
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

import httpx
import orjson

from conveyor.core.actor import PERSON_HEADER
from conveyor.core.errors import ConveyorError
from conveyor.core.tracing import TRACEPARENT, SpanContext
from conveyor.core.untyped import Json
from conveyor.entrypoints.pooled_connections import PooledConnections

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 600.0
"""An audit of a million orders takes its time."""
CONNECTIONS = 32
JSON = "application/json"

if find_spec("sniffio") is None:
    # Httpcore tries to import it for every request: failing at once, instead of after a search of
    # the whole path, halves the cost of a request.
    sys.modules["sniffio"] = None  # type: ignore[assignment]


class ServerUnreachableError(ConveyorError):
    """No server answers at this address."""

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(f"no server answers at {url}: {cause}")
        self.url = url
        self.cause = cause


class ApiError(ConveyorError):
    """The API said no; `problem` is what it answered (RFC 9457)."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(_sentence(status, problem))
        self.status = status
        self.problem = problem


class Client:
    """Speaks JSON with the API; every answer that is not a success is raised."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        person: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`key` is '' for none; `transport` replaces the network.

        `person` is whose command it is, where the key says only that they own the data.
        """
        self.url = url
        given = {"authorization": key and f"Bearer {key}", PERSON_HEADER: person}
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={name: value for name, value in given.items() if value},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            transport=transport or PooledConnections(CONNECTIONS),
        )

    async def __aenter__(self) -> Self:
        """Nothing is connected yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._http.aclose()

    def within(self, span: SpanContext) -> None:
        """Let what is asked for from now on be in this span's trace."""
        self._http.headers[TRACEPARENT] = span.traceparent

    async def answers(self) -> bool:
        """Whether there is a server at this address."""
        try:
            await self.get("/healthz")
        except ServerUnreachableError:
            return False
        return True

    async def get(self, path: str, **query: Json) -> Json:
        """Read; parameters that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        return (await self.send("GET", path, query=given))[0]

    async def post(self, path: str, body: Json = None, *, key: str = "", why: str = "") -> Json:
        """Send JSON; `key` is the idempotency key, `why` is kept in the log of operators."""
        return (await self.send("POST", path, body, key=key, query=_why(why)))[0]

    async def put(self, path: str, body: Json, *, why: str = "") -> Json:
        """Set to JSON."""
        return (await self.send("PUT", path, body, query=_why(why)))[0]

    async def delete(self, path: str, *, why: str = "") -> Json:
        """Delete."""
        return (await self.send("DELETE", path, query=_why(why)))[0]

    async def send(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        query: Mapping[str, Any] | None = None,
        key: str = "",
        kind: str = JSON,
    ) -> tuple[Any, httpx.Response]:
        """Give the answer's JSON and the answer. Raises `ApiError`, `ServerUnreachableError`."""
        content = None if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        headers = {"content-type": kind} if content is not None else {}
        if key:
            headers["idempotency-key"] = key
        try:
            answer = await self._http.request(
                method, path, params=query, content=content, headers=headers
            )
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ServerUnreachableError(self.url, str(error) or type(error).__name__) from error
        value = _json(answer)
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            problem = value if isinstance(value, dict) else {"detail": answer.text[:500]}
            raise ApiError(answer.status_code, problem)
        return value, answer


def _why(why: str) -> dict[str, str] | None:
    return {"why": why} if why else None


def _json(answer: httpx.Response) -> Json:
    if "json" not in answer.headers.get("content-type", ""):
        return None
    return orjson.loads(answer.content)


def _sentence(status: int, problem: Mapping[str, Any]) -> str:
    return str(problem.get("detail") or problem.get("title") or HTTPStatus(status).phrase)
