"""A process that has loaded what commands need, has opened and started nothing, and forks for each.

It ends when whoever started it ends, which ends its socket.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import random
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

NUMBER_BYTES = 4
PACKAGES_OF_OTHERS = "PYTHONPATH"
PACKAGES = (
    *(f"conveyor.adapters.{it}" for it in ("embedded_queue", "sqlite", "postgres", "sqs")),
    *(f"conveyor.{it}" for it in ("adapters.simulated", "flows", "operations")),
)
MODULES = (
    *(f"conveyor.entrypoints.{it}" for it in ("cli", "cli.remote_replay", "client", "serving")),
    *("conveyor.adapters.migrations.upgrade", "conveyor.system.commerce", "alembic.command"),
    *("anyio._backends._asyncio", "httpcore", "uvloop"),
    *("rich.live", "rich.progress", "rich.table", "uvicorn.lifespan.off"),
)
"""What `up`, `serve`, `work` and those that look import, as they begin or as they run."""


def serve(descriptor: int) -> None:
    """Fork whenever the socket of this number asks for it; returns in each child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which end us
    gc.disable()
    _load()
    gc.freeze()  # children share the memory of what is never looked at
    requests = socket.socket(fileno=descriptor)
    living: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for ready in select.select([*living, descriptor], [], [])[0]:
            if ready != descriptor:
                _tell_how_it_ended(ready, *living.pop(ready))
                continue
            _, descriptors, _, _ = socket.recv_fds(requests, 1, 4)
            if not descriptors:
                sys.exit()
            told = socket.socket(fileno=descriptors.pop())
            pid = os.fork()
            if not pid:
                _close(requests, living)
                _begin(told, descriptors)
                return
            for stream in descriptors:
                os.close(stream)
            living[os.pidfd_open(pid)] = pid, told
            told.sendall(pid.to_bytes(NUMBER_BYTES, "big"))


def _load() -> None:
    for module in MODULES:
        import_module(module)
    for package in PACKAGES:
        for it in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            if ".migrations" not in it.name:  # these Alembic loads by their paths
                import_module(it.name)


def _tell_how_it_ended(handle: int, pid: int, told: socket.socket) -> None:
    os.close(handle)
    _, status = os.waitpid(pid, 0)
    with suppress(OSError), told:  # nobody may want to know any more
        told.sendall(status.to_bytes(NUMBER_BYTES, "big"))


def _close(requests: socket.socket, living: dict[int, tuple[int, socket.socket]]) -> None:
    requests.close()
    for handle, (_, told) in living.items():
        os.close(handle)
        told.close()


def _begin(told: socket.socket, streams: list[int]) -> None:
    """Be what `python -c` is before it runs the code."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    with told, told.makefile() as wanted:
        arguments, environment, directory = json.load(wanted)
    os.chdir(directory)
    _look_in(environment.get(PACKAGES_OF_OTHERS, ""))
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    random.seed()
    sys.argv[1:] = arguments
    _open_streams()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.enable()


def _look_in(places: str) -> None:
    """Let packages be found where the command is told to look, instead of where we were."""
    ours = os.environ.get(PACKAGES_OF_OTHERS, "").split(os.pathsep)
    own = [it for it in sys.path[1:] if it not in ours]
    sys.path[1:] = [*(str(Path(it).absolute()) for it in places.split(os.pathsep) if it), *own]


def _open_streams() -> None:
    """Open the standard streams as the interpreter does: some are terminals, others not."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        ours = getattr(sys, name)
        mode, buffering = "w" if number else "r", 1 if name == "stderr" else -1
        stream = open(  # noqa: SIM115 - it is open for as long as the process lasts
            number, mode, buffering, ours.encoding, ours.errors, closefd=False
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
