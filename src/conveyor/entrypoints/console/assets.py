"""Files of the pages: our own, and libraries as their makers published them (see assets/NOTICE.md).

Each is asked for by an address that changes with it, so that a browser may keep it for good.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from conveyor.entrypoints.console.viewer import ROOT
from conveyor.entrypoints.http.problems import not_found

DIRECTORY = Path(__file__).with_name("assets")
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_GOOD = {"cache-control": "public, max-age=31536000, immutable"}
DIGEST_LENGTH = 12


@cache
def address_of(name: str) -> str:
    """Give the address of a file, with a part that changes with it."""
    digest = hashlib.sha256((DIRECTORY / name).read_bytes()).hexdigest()[:DIGEST_LENGTH]
    return f"{ROOT}/assets/{name}?v={digest}"


async def asset(request: Request) -> Response:
    """Give a file; whoever is not signed in needs some of them too."""
    path = DIRECTORY / request.path_params["name"]
    if path.parent != DIRECTORY or path.suffix not in TYPES or not path.is_file():
        raise not_found("file")
    return FileResponse(path, media_type=TYPES[path.suffix], headers=FOR_GOOD)
