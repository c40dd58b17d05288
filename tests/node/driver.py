"""Node.js processes, what they are told of the system, and a door to it that can be held shut."""

from __future__ import annotations

import http.client
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self, cast

import boto3
import httpx
from tests.api.serving import Server, order_of, place, wait_for
from tests.servers.ministack import AWS_TEST_ENVIRONMENT
from tests.servers.waiting import wait_until

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EXAMPLE = ROOT / "examples" / "node"
EXTENSION = "examples.node.billed:EXTENSION"
PREFIX = "node-"
SERVICE = "billing"
PATIENCE_SECONDS = 240.0


class Shop:
    """A running system with the example's flow, and the queues that others see of it."""

    def __init__(self, server: Server, endpoint_url: str) -> None:
        self.server = server
        self.client = server.client_of("default")
        self.sqs = boto3.client("sqs", endpoint_url=endpoint_url)
        worker = server.client_of("default", ("read", "answer"))
        self.environment = AWS_TEST_ENVIRONMENT | {
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_SQS": endpoint_url,
            "INTAKE_URL": self.queue_url("intake"),
            "BILLING_URL": self.queue_url(SERVICE),
            "CONVEYOR_SERVER": server.url,
            "CONVEYOR_API_KEY": worker.headers["authorization"].removeprefix("Bearer "),
            # What a poll takes that a killed program has left open comes back soon.
            "VISIBILITY_SECONDS": "2",
            "WAIT_SECONDS": "1",
        }

    def queue_url(self, name: str) -> str:
        url: str = self.sqs.get_queue_url(QueueName=f"{PREFIX}{name}")["QueueUrl"]
        return url

    def stock(self, sku: str, units: int = 1_000) -> None:
        answer = self.client.put(f"/v1/stock/{sku}", json={"available": units})
        assert answer.status_code == 200, answer.text

    def place(self, **changes: Any) -> str:
        """Place an order of the example's flow."""
        return place(self.client, order_of(flow="billed", **changes))

    def wait_for(self, order_id: str, *statuses: str) -> Any:
        return wait_for(self.client, order_id, *statuses)

    def story(self, order_id: str, event: str) -> list[str]:
        """Name the steps of an order that this happened to, in order."""
        entries = self.client.get(f"/v1/orders/{order_id}/timeline").json()["entries"]
        return [e["step"] for e in entries if e["event"] == event]

    def answer(
        self, order_id: str, step: str, body: Any, client: httpx.Client | None = None, **query: Any
    ) -> httpx.Response:
        path = f"/v1/orders/{order_id}/answers/{step}"
        return (client or self.client).post(path, json=body, params=query)

    def left(self, name: str = SERVICE) -> int:
        """Count the messages of a queue, wherever they are."""
        counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        told = self.sqs.get_queue_attributes(
            QueueUrl=self.queue_url(name), AttributeNames=list(counts)
        )
        return sum(int(told["Attributes"][count]) for count in counts)

    def wait_until_empty(self, name: str = SERVICE) -> None:
        wait_until(lambda: self.left(name), lambda left: left == 0)


class Node:
    """A program under Node.js; its lines are kept as they come."""

    def __init__(self, program: Path, environment: dict[str, str]) -> None:
        self.popen = subprocess.Popen(
            ["/usr/bin/env", "node", program.name],
            cwd=program.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": os.environ["PATH"], **environment},
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        assert self.popen.stdout
        self.popen.stdout.close()

    def kill(self) -> None:
        """End it as `kill -9` does; harmless when it has ended."""
        self.popen.kill()
        self.end()

    def end(self) -> int:
        """Wait for its end; gives its exit status."""
        status = self.popen.wait(PATIENCE_SECONDS)
        self._reader.join()
        return status

    def wait_for(self, text: str) -> None:
        """Wait until it has printed this."""
        wait_until(lambda: "".join(self.lines), lambda said: text in said)

    def _read(self) -> None:
        assert self.popen.stdout
        for line in self.popen.stdout:
            self.lines.append(line)


class Door:
    """Hands requests on to a server; the first that is to be held gets no answer.

    With `after`, it is handed on all the same: the server has done it, and nobody hears of it.
    """

    def __init__(self, url: str, method: str, *, after: bool = False) -> None:
        self.target = url.removeprefix("http://")
        self.method = method
        self.after = after
        self.held = threading.Event()
        self.released = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.door = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()

    def holds(self, method: str) -> bool:
        if method != self.method or self.held.is_set():
            return False
        self.held.set()
        return True


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._hand_on()

    def do_POST(self) -> None:
        self._hand_on()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _hand_on(self) -> None:
        door = cast("Door", self.server.door)  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if not door.after and door.holds(self.command):
            door.released.wait()
            return
        server = http.client.HTTPConnection(door.target)
        server.request(self.command, self.path, body, dict(self.headers))
        answer = server.getresponse()
        said = answer.read()
        server.close()
        if door.after and door.holds(self.command):
            door.released.wait()
            return
        self.send_response(answer.status)
        self.send_header("content-type", answer.headers["content-type"])
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
