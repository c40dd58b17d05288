"""The code of the functions, as one file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from tests.cli.driver import say_apart

from conveyor.entrypoints.aws_lambda.packaging import MOST_BYTES, NotInstalledError, build

SERVERS_AND_CONSOLES = ("uvicorn", "uvloop", "click", "rich", "jinja2", "alembic", "pip", "pytest")


def test_it_is_small_and_has_what_functions_need_and_no_more(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert archive.stat().st_size < MOST_BYTES
    assert {"conveyor", "psycopg_binary", "sqlalchemy"} <= tops
    assert not tops & set(SERVERS_AND_CONSOLES)
    assert not [name for name in names if name.startswith("conveyor/testing")]
    assert {
        n.split("/")[2] for n in names if n.startswith("botocore/data/") and n.count("/") > 2
    } == {"secretsmanager", "sqs"}
    assert any(name.endswith(".pyc") for name in names)
    assert "botocore/cacert.pem" in names  # the template has PostgreSQL's proxy checked with it


@pytest.mark.soak  # it is built once more
def test_it_is_the_same_each_time(archive: Path, tmp_path: Path) -> None:
    said = say_apart("package", "lambda", tmp_path / "again.zip", "--json").json()
    assert said["bytes"] == archive.stat().st_size
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_what_is_not_installed_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotInstalledError, match="pip install not-there"):
        build(tmp_path / "out.zip", ["not-there"])
    said = say_apart("package", "lambda", tmp_path / "out.zip", "--with", "not-there")
    assert said.code == 2
    assert "pip install not-there" in said.err
