"""The templates of `deploy/aws` as CloudFormation sees them: loops and SAM written out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.deploy.remembered import ROOT, remembered, tool

REGION = "eu-west-1"
TEMPLATE = ROOT / "deploy" / "aws" / "template.yaml"
WORKERS = ROOT / "deploy" / "aws" / "workers.yaml"
EXPAND = Path(__file__).with_name("expand.py")


def expanded(template: Path = TEMPLATE, **parameters: str) -> dict[str, Any]:
    """Give a template with its loops and SAM's resources written out.

    `parameters` matter for what loops go over; all else stays a `Ref` to its parameter, which
    whoever deploys the result gives.
    """
    (one,) = all_expanded([template], **parameters)
    return one


def all_expanded(templates: Sequence[Path], **parameters: str) -> list[dict[str, Any]]:
    """Give several, for not much more than the price of one."""
    given = json.dumps(parameters, sort_keys=True)

    def expand() -> str:
        command = [tool("python"), str(EXPAND), given, *map(str, templates)]
        environment = os.environ | {"AWS_DEFAULT_REGION": REGION}  # SAM asks for one
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    sources = (given.encode(), *(it.read_bytes() for it in (EXPAND, *templates)))
    read: list[dict[str, Any]] = json.loads(remembered(sources, expand))
    return read
