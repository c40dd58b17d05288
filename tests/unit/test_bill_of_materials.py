"""What an installation consists of can be told, and what is said of its security is shown."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from tests.servers.process import free_port

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PINNED = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+)", re.MULTILINE)
ROW = re.compile(r"^\| (?:API|V)\d+[^|]*\| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
NOT_SHOWN = ("not applicable", "not met")
TEST = re.compile(r"`((?:tests|src)/[\w/]+\.py)::(\w+)`")


def test_it_names_all_that_is_pinned(tmp_path: Path) -> None:
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415 - takes two seconds, for one test
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415 - likewise

    file = tmp_path / "sbom.json"
    subprocess.run([ROOT / "scripts" / "write-sbom", BIN, file], check=True, cwd=ROOT)
    text = file.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    named = {(one["name"], one["version"]) for one in orjson.loads(text)["components"]}
    assert named == set(PINNED.findall((ROOT / "requirements" / "runtime.txt").read_text()))


def test_without_a_network_an_audit_of_it_is_not_taken_for_a_clean_one() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    environment = {"PATH": "/usr/bin:/bin", "HTTPS_PROXY": nowhere, "HTTP_PROXY": nowhere}
    said = subprocess.run(
        [ROOT / "scripts" / "audit-dependencies", BIN],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment,
    )
    assert said.returncode == 1
    assert "no network" in said.stderr


def test_every_line_about_security_has_a_test_or_says_why_not() -> None:
    rows = ROW.findall((ROOT / "docs" / "security.md").read_text())
    assert len(rows) >= 10 + 17
    for done, shown in rows:
        assert TEST.search(shown) or done.startswith(NOT_SHOWN), done


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/security.md"])
def test_the_tests_that_show_it_are_there(page: str) -> None:
    for file, name in TEST.findall((ROOT / page).read_text()):
        assert re.search(rf"^ *(?:async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE), (
            name
        )
