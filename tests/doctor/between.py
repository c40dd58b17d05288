"""A server between us and an SQS server: it refuses, forgets or does not know what a test says."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.servers.process import HOST

TARGET = "X-Amz-Target"
COPIED = ("Content-Type", TARGET, "Authorization", "X-Amz-Date")


@dataclass
class Between:
    """What is done to requests on their way."""

    endpoint_url: str = ""
    refused: set[str] = field(default_factory=set)
    """Operations that this identity may not call."""
    forgotten: set[str] = field(default_factory=set)
    """Attributes that are taken and not kept."""
    unknown: set[str] = field(default_factory=set)
    """Attributes that are an error."""


@contextmanager
def between(upstream: str) -> Iterator[Between]:
    """Stand before a server on loopback."""
    rules = Between()
    server = ThreadingHTTPServer((HOST, 0), _handler(rules, urlsplit(upstream).netloc))
    server.daemon_threads = True
    rules.endpoint_url = f"http://{HOST}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield rules
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(rules: Between, upstream: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            operation = self.headers[TARGET].rpartition(".")[2].removesuffix("Batch")
            given = body.get("Attributes", {})
            if operation in rules.refused:
                self._answer(403, _error("AccessDeniedException", f"not allowed: {operation}"))
            elif strange := rules.unknown & set(given):
                self._answer(400, _error("InvalidAttributeName", f"Unknown {strange}"))
            else:
                kept = {name: it for name, it in given.items() if name not in rules.forgotten}
                self._answer(*self._asked(body | ({"Attributes": kept} if given else {})))

        def _asked(self, body: Any) -> tuple[int, bytes]:
            connection = http.client.HTTPConnection(upstream)
            headers = {name: self.headers[name] for name in COPIED if name in self.headers}
            connection.request("POST", self.path, json.dumps(body).encode(), headers)
            answer = connection.getresponse()
            read = answer.read()
            connection.close()
            return answer.status, read

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _error(code: str, message: str) -> bytes:
    return json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": message}).encode()
