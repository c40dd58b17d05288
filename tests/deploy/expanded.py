"""The templates of `deploy/aws` as CloudFormation sees them: loops and SAM written out."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

REGION = "eu-west-1"
ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "deploy" / "aws" / "template.yaml"
TOOLS = ROOT / ".venv-deploy" / "bin"
LOCK = ROOT / "requirements" / "deploy.txt"
EXPAND = Path(__file__).with_name("expand.py")
REMEMBERED = ROOT / "build" / "expanded"
"""Writing one out takes seconds, and is the same until one of its sources changes."""


def tool(name: str) -> str:
    """Give the path of a tool that checks `deploy/`."""
    path = TOOLS / name
    assert path.exists(), f"{path} is missing: make .venv-deploy/.installed"
    return str(path)


@cache
def _text(template: Path, parameters: str) -> str:
    sources = (template, LOCK, EXPAND)
    digest = hashlib.sha256(b"".join(it.read_bytes() for it in sources) + parameters.encode())
    remembered = REMEMBERED / f"{digest.hexdigest()}.json"
    if not remembered.exists():
        command = [tool("python"), str(EXPAND), str(template), parameters]
        environment = os.environ | {"AWS_DEFAULT_REGION": REGION}  # SAM asks for one
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        REMEMBERED.mkdir(parents=True, exist_ok=True)
        half = remembered.with_suffix(f".{os.getpid()}")
        half.write_text(done.stdout, encoding="utf-8")
        half.replace(remembered)
    return remembered.read_text(encoding="utf-8")


def expanded(template: Path = TEMPLATE, **parameters: str) -> dict[str, Any]:
    """Give a template with its loops and SAM's resources written out.

    `parameters` matter for what loops go over; all else stays a `Ref` to its parameter, which
    whoever deploys the result gives.
    """
    read: dict[str, Any] = json.loads(_text(template, json.dumps(parameters, sort_keys=True)))
    return read
