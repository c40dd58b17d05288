"""Lambda, as far as a function can tell: AWS's own runtime client against a runtime API of ours.

A function is a process that has nothing on its path but the package and that client, and nothing
in its environment but what a deployment sets. It is killed at its time-out.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Self

API = "/2018-06-01/runtime"
TASK = "task"
CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
START_SECONDS = 60.0
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class FunctionError(Exception):
    """What an invocation ended with that gave no answer."""


@dataclass
class Invocation:
    """One event on its way through a function."""

    event: Any
    deadline: float
    begun: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    ended: threading.Event = field(default_factory=threading.Event)
    answer: Any = None
    error: str = ""


class Function:
    """One instance of a function, started at its first invocation, and again after it died."""

    def __init__(
        self,
        package: Path,
        handler: str,
        environment: Mapping[str, str],
        seconds: float = 60.0,
        told: float | None = None,
    ) -> None:
        """`told`: what the function takes for its time-out, where it is to be done before."""
        self.handler = handler
        self.seconds = seconds
        self.told = told
        self.package = package
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None
        self.cold_seconds: list[float] = []
        """How long each start took, until the function asked for its first event."""
        self.is_busy = threading.Event()
        """An event is with the function."""
        self._waiting: queue.Queue[Invocation] = queue.Queue()
        self._current: Invocation | None = None
        self._asked = threading.Event()
        self._one_at_a_time = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _api_of(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._server.shutdown()
        self._server.server_close()

    def another(self) -> Function:
        """Give a further instance of the same function."""
        return Function(self.package, self.handler, self.environment, self.seconds, self.told)

    def invoke(self, event: Any) -> Any:
        """Give the function's answer. Raises `FunctionError` for an error, a death, a time-out."""
        with self._one_at_a_time:
            self._start()
            invocation = Invocation(event, time.time() + (self.told or self.seconds))
            self._current = invocation
            self._waiting.put(invocation)
            while not invocation.ended.wait(0.02):
                if self.process is None or self.process.poll() is not None:
                    raise FunctionError("the process died")
                if time.time() > invocation.begun + self.seconds:
                    self.kill()
                    raise FunctionError("timed out")
            if invocation.error:
                raise FunctionError(invocation.error)
            return invocation.answer

    def kill(self) -> None:
        """End the instance, as Lambda does: at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            self._waiting = queue.Queue()

    def _start(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        self._asked.clear()
        begun = time.monotonic()
        client = self.package.parent / "runtime"
        self.process = subprocess.Popen(
            # Without `site`, nothing that is installed here can be imported.
            [sys.base_prefix + "/bin/python3", "-S", "-m", "awslambdaric", self.handler],
            cwd=self.package,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": f"{self.package}:{client}",
                "PYTHONDONTWRITEBYTECODE": "1",
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
                **self.environment,
            },
        )
        while not self._asked.wait(0.005):
            if self.process.poll() is not None:
                raise FunctionError("it did not start")
            assert time.monotonic() < begun + START_SECONDS
        self.cold_seconds.append(time.monotonic() - begun)

    def processor_seconds(self) -> float:
        """Give what the instance has used so far."""
        assert self.process is not None
        text = Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / TICKS_A_SECOND

    def suspend(self) -> None:
        """Let the instance stand still."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def next(self) -> Invocation:
        self.is_busy.clear()
        self._asked.set()
        invocation = self._waiting.get()
        self.is_busy.set()
        return invocation

    def end(self, invocation_id: str, answer: Any = None, error: str = "") -> None:
        current = self._current
        if current is not None and current.id == invocation_id:
            current.answer, current.error = answer, error
            current.ended.set()


def _api_of(function: Function) -> type[BaseHTTPRequestHandler]:
    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            assert self.path == f"{API}/invocation/next"
            invocation = function.next()
            body = json.dumps(invocation.event).encode()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", invocation.id)
            self.send_header("Lambda-Runtime-Deadline-Ms", str(round(invocation.deadline * 1000)))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:x:1:function:f")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = self._chunks()
            else:
                body = self.rfile.read(length)
            what = self.path.rpartition("/")[2]
            invocation_id = self.path.split("/")[-2]
            if what == "response":
                function.end(invocation_id, json.loads(body or b"null"))
            else:
                function.end(invocation_id, error=body.decode() or what)
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _chunks(self) -> bytes:
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_: object) -> None:
            pass

    return Api


def lay_out(archive: Path, target: Path) -> Path:
    """Unpack a package into `TASK`, and beside it AWS's runtime client, which Lambda brings."""
    package = target / TASK
    shutil.unpack_archive(archive, package)
    for name in CLIENT:
        for file in distribution(name).files or ():
            source = Path(str(file.locate()))
            if ".." not in file.parts and source.suffix != ".pyc":
                copy = target / "runtime" / file
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, copy)
    return package
