"""What is nobody else's business: the data directory, and passwords in settings."""

import json
import stat
from pathlib import Path

import pytest
from tests.cli.driver import bodies, running, say, say_apart


def test_the_data_directory_is_its_owner_s_alone(tmp_path: Path) -> None:
    data = tmp_path / "made" / "data"
    say_apart("stock", "set", "CD", 10, "--data", data)
    with running(data):
        say("place", "-", "--data", data, stdin=json.dumps(bodies(1)[0]))
        modes = {path.name: _mode(path) for path in data.iterdir()}

    assert _mode(data) == 0o700
    assert {"conveyor.db", "conveyor.db-wal", "queue.db", "provider.db"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_a_directory_that_is_there_stays_as_its_owner_has_set_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    say("stock", "set", "CD", 10, "--data", tmp_path)

    assert _mode(tmp_path) == 0o750
    assert _mode(tmp_path / "conveyor.db") == 0o600


@pytest.mark.parametrize("variable", ["CONVEYOR_DATABASE_URL", "CONVEYOR_QUEUE_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "mysql://shop:s3cret@db.example.com/shop",
        "mysql://shop:s3@c/r3t@db.example.com/shop",
        "sqlite://shop:s3cret@db.example.com/shop",
        "shop:s3//cret@db.example.com",
        "mysql://db.example.com/shop?user=shop&password=s3cret",
        "postgresql://shop:s3cret@db.example.com:port/shop",
        "postgresql://shop:s3cret@db.example.com/shop?no_such_option=1",
        "sqs://shop:s3cret@db.example.com/shop-",
    ],
)
def test_a_wrong_url_is_named_without_its_password(tmp_path: Path, variable: str, url: str) -> None:
    said = say("up", "--data", tmp_path, "--port", 0, **{variable: url})

    assert said.code == 2
    assert "URL" in said.err
    assert "db.example.com" in said.err
    assert not any(secret in said.err for secret in ("s3", "r3t"))


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
