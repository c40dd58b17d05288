"""Commands that tests begin by forking are as those that begin by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import PATIENCE_SECONDS, running, until
from tests.cli.forking import CAN_FORK, COMMAND, ROOT, Forked, start

PIPES: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
BEGIN = """
from tests.cli.driver import Process
with Process("up", "--data", {!r}, "--port", 0, "--json") as process:
    print(process.ready()["pid"], flush=True)
    input()
"""


def ended(process: subprocess.Popen[Any], given: str = "") -> tuple[int, str, str]:
    """Give what a process said, and its exit code."""
    with process:
        out, err = process.communicate(given, timeout=PATIENCE_SECONDS)
    return process.returncode, out, err


def line_of_ps(pid: int, what: str) -> str:
    """Give what `ps` says of a process; nothing: it has ended."""
    asked = ["ps", "-o", f"{what}=", "-p", str(pid)]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return "" if said.startswith("Z") else said


@pytest.mark.parametrize(
    ("command", "code"),
    [("--help", 0), ("place -", 1), ("status", 2), ("no-such-command", 2)],
)
def test_they_say_the_same_and_exit_with_the_same(command: str, code: int, tmp_path: Path) -> None:
    environment = dict(os.environ) | {"CONVEYOR_DATA": str(tmp_path / "none"), "COLUMNS": "70"}
    arguments = [*COMMAND, *command.split()]
    forked = start(arguments, environment, text=True, **PIPES)
    alone = subprocess.Popen(arguments, env=environment, text=True, **PIPES)

    assert isinstance(forked, Forked) == CAN_FORK
    said = ended(forked, "{}")
    assert said == ended(alone, "{}")
    assert said[0] == code


def test_they_have_the_directory_and_the_environment_that_they_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = dict(os.environ) | {"CONVEYOR_GIVEN": "1"}
    monkeypatch.setenv("CONVEYOR_NOT_GIVEN", "1")
    command = [*COMMAND, "stock", "set", "CD", "1"]
    code, _, err = ended(start(command, environment, cwd=tmp_path, text=True, **PIPES))

    assert code == 0, err
    assert "CONVEYOR_GIVEN is no setting" in err
    assert "NOT_GIVEN" not in err
    assert [it.name for it in tmp_path.iterdir()] == ["conveyor-data"]


def test_what_only_a_new_interpreter_heeds_is_left_to_one() -> None:
    for name in ("PYTHONHASHSEED", "OTEL_SERVICE_NAME"):
        process = start([*COMMAND, "--help"], dict(os.environ) | {name: "x"}, **PIPES)
        assert not isinstance(process, Forked)
        process.kill()
        process.communicate()


def test_they_find_the_packages_that_they_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").write_text("raise SystemExit('found')\n")
    theirs = {"PYTHONPATH": str(tmp_path), "CONVEYOR_EXTENSIONS": "elsewhere:EXTENSION"}
    process = start(
        [*COMMAND, "migrate", "--data", str(tmp_path)],
        dict(os.environ) | theirs,
        text=True,
        **PIPES,
    )
    assert isinstance(process, Forked) == CAN_FORK
    assert ended(process) == (1, "", "found\n")


def test_where_there_is_another_conveyor_it_is_not_forked(tmp_path: Path) -> None:
    (tmp_path / "conveyor").mkdir()
    (tmp_path / "conveyor" / "__init__.py").write_text("raise SystemExit('another')\n")
    environment = dict(os.environ) | {"PYTHONPATH": str(tmp_path)}
    process = start([*COMMAND, "--help"], environment, text=True, **PIPES)
    assert not isinstance(process, Forked)
    assert ended(process) == (1, "", "another\n")


def test_several_run_and_each_dies_by_itself(tmp_path: Path) -> None:
    with running(tmp_path / "a") as (one, _), running(tmp_path / "b") as (other, ready):
        assert ready["pid"] == other.popen.pid != one.popen.pid
        with pytest.raises(subprocess.TimeoutExpired):
            one.popen.wait(0.01)
        one.popen.kill()
        assert one.popen.wait(PATIENCE_SECONDS) == -signal.SIGKILL
        assert other.popen.poll() is None
        assert other.stop(signal.SIGINT).code == 0


def test_none_holds_what_the_tests_or_another_have_open(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)  # noqa: FBT003 - it has no keywords
    with running(tmp_path / "a") as (one, _), running(tmp_path / "b"):
        os.close(writing)
        assert os.read(reading, 1) == b""
        os.close(reading)
        one.popen.kill()
        assert one.popen.stdout is not None
        assert one.popen.stdout.read() == ""


def test_the_process_that_forks_ends_when_the_tests_are_killed(tmp_path: Path) -> None:
    code = BEGIN.format(str(tmp_path))
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, text=True, **PIPES) as tests:
        assert tests.stdout is not None
        pid = int(tests.stdout.readline())
        parent = int(line_of_ps(pid, "ppid"))
        assert (parent == tests.pid) != CAN_FORK
        tests.kill()
    until(lambda: not line_of_ps(parent, "stat"))
    os.kill(pid, signal.SIGKILL)
    until(lambda: not line_of_ps(pid, "stat"))
