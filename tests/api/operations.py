"""The API's operations, as its OpenAPI document tells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
from tests.api.serving import Server

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
NOTHING = {
    "order_id": "01KDVXQG0053EJ2M8Q4N7T6WAB",
    "letter_id": "01KDVXQG0053EJ2M8Q4N7T6WAB",
    "key_id": "a" * 16,
    "name": "nobody",
    "kind": "flight",
    "date": "2026-01-01",
    "step": "refunds.decide",
    "sku": "NOTHING",
    "plan": "nothing",
}
"""Names of what is not there."""


@dataclass(frozen=True)
class Operation:
    """One of the document's operations."""

    method: str
    path: str
    described: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def id(self) -> str:
        name: str = self.described["operationId"]
        return name

    @property
    def scopes(self) -> set[str]:
        """The scopes of which one is needed; none: it is open to everybody."""
        return {scope for need in self.described.get("security", ()) for scope in need["apiKey"]}

    @property
    def takes_json(self) -> bool:
        """Whether its body is looked at before it answers."""
        schema = self._content().get(JSON, {}).get("schema", {})
        return bool(schema)

    @property
    def codes(self) -> set[str]:
        """The codes of the problems that it may answer with."""
        problems = [answer.get("content", {}) for answer in self.described["responses"].values()]
        return {code for one in problems for code in one.get(PROBLEM_JSON, {}).get("examples", ())}

    def call(self, client: httpx.Client, names: dict[str, str], **request: Any) -> httpx.Response:
        """Call it with the body of its example, or with what is given."""
        body = self._content().get(JSON, {}).get("example")
        if body is not None and "content" not in request:
            request["json"] = body
        return client.request(self.method, self.path.format(**names), **request)

    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = self.described.get("requestBody", {}).get("content", {})
        return content


def operations_of(server: Server) -> list[Operation]:
    """Read them from the document."""
    document = server.client().get("/openapi.json").json()
    return [
        Operation(method.upper(), path, described)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]
