"""cfn-lint and checkov: each run once, over everything that there is to look at."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.deploy.remembered import remembered, tool

Findings = dict[str, list[str]]


def cfn_lint(templates: Mapping[str, str]) -> Findings:
    """Give what cfn-lint finds, by the name of the file."""
    read = _looked_through(templates, _cfn_lint)
    found: Findings = {name: [] for name in templates}
    for it in json.loads(read):
        where = "/".join(map(str, it["Location"]["Path"] or ()))
        found[Path(it["Filename"]).name].append(f"{it['Rule']['Id']} {where}: {it['Message']}")
    return found


def checkov(templates: Mapping[str, str]) -> Findings:
    """Give what checkov finds, by the name of the file."""
    report = json.loads(_looked_through(templates, _checkov))
    found: Findings = {name: [] for name in templates}
    for it in report["results"]["failed_checks"]:
        name = Path(it["file_path"]).name
        found[name].append(f"{it['check_id']} {it['resource']}: {it['check_name']}")
    assert report["summary"]["parsing_errors"] == 0
    return found


def _looked_through(templates: Mapping[str, str], look: Any) -> str:
    def run() -> str:
        with TemporaryDirectory() as directory:
            for name, text in templates.items():
                (Path(directory) / name).write_text(text, encoding="utf-8")
            return str(look(Path(directory)))

    return remembered((json.dumps([look.__name__, dict(templates)]).encode(),), run)


def _cfn_lint(directory: Path) -> str:
    files = sorted(map(str, directory.iterdir()))
    return _run(tool("cfn-lint"), "--format", "json", "--regions", "eu-west-1", "--", *files)


def _checkov(directory: Path) -> str:
    offline = ("--skip-download", "--quiet", "--compact")
    return _run(
        tool("checkov"),
        "-d",
        str(directory),
        "--framework",
        "cloudformation",
        "-o",
        "json",
        *offline,
    )


def _run(*command: str) -> str:
    """Give what a tool printed; that it found something is no failure of the tool's."""
    environment = os.environ | {"LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.stdout
