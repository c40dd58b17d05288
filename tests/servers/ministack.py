"""MiniStack on loopback, which speaks SQS, for tests and benchmarks."""

import os
import socket
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from tests.servers.process import HOST, running_server

ROOT = Path(__file__).parents[2]
LISTEN_BACKLOG = 256
MINISTACK = "ministack.app:app"
# MiniStack speaks for all of AWS; what is not SQS costs memory, ports and start-up time.
MINISTACK_QUIET = {
    "BIND_HOST": HOST,
    "LOG_LEVEL": "ERROR",
    "SFTP_ENABLED": "0",
    "IOT_MTLS_ENABLED": "0",
    "MINISTACK_WORKER_THREADS": "2",
}
# A test never needs real credentials, and must never find any.
AWS_TEST_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class SqsServer:
    """A running SQS-compatible server: its endpoint URL, and the pid of its process."""

    endpoint_url: str
    pid: int


@contextmanager
def ministack_server(
    *, application: str = MINISTACK, port: int = 0, services: str = "sqs"
) -> Iterator[SqsServer]:
    """Run MiniStack, serving SQS alone if no more is asked for, as a process of its own.

    Its application is served by uvicorn (as `python -m ministack` would by hypercorn): it takes
    the socket that is already bound here, so no other process can snatch the port, and it leaves
    more of a small machine to the clients.
    `application` names another one that hands on to MiniStack's; `port` is that of a server that
    is gone, else any. Raises ServerFailedError.
    """
    home = tempfile.TemporaryDirectory(prefix="conveyor-ministack-")
    with home as name, _listener(port) as listener:
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", application]
        command += ["--app-dir", str(ROOT)]
        command += ["--fd", str(listener.fileno()), "--log-level", "error", "--no-access-log"]
        # A long poll that a client has left behind would hold the end up.
        command += ["--timeout-keep-alive", "75", "--timeout-graceful-shutdown", "1"]
        own = {"SERVICES": services, "GATEWAY_PORT": str(port), "TMPDIR": name}
        environment = os.environ | MINISTACK_QUIET | own
        endpoint = f"http://{HOST}:{port}"
        with running_server(
            "MiniStack",
            command,
            Path(name),
            ready=lambda: _answers(f"{endpoint}/_ministack/health"),
            environment=environment,
            inherit=(listener.fileno(),),
        ) as pid:
            listener.close()  # it is the server's: without it nobody listens
            yield SqsServer(endpoint, pid)


@contextmanager
def _listener(port: int) -> Iterator[socket.socket]:
    with socket.create_server((HOST, port), backlog=LISTEN_BACKLOG) as listener:
        # Connections inherit it. Uvicorn takes an inherited socket for a Unix one and leaves
        # Nagle's algorithm on, which holds every answer back for 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == HTTPStatus.OK)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
