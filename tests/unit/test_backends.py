"""Where a system keeps its files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conveyor.settings import SettingError, Settings
from conveyor.system.backends import open_replica
from conveyor.system.opening import open_app

FILES = {"queue.db", "provider.db", "carrier.db"}


def files_of(settings: Settings) -> None:
    async def main() -> None:
        app = await open_app(settings)
        await app.close()

    asyncio.run(main())


def test_embedded_files_are_beside_their_database(tmp_path: Path) -> None:
    there, data = tmp_path / "there", tmp_path / "data"
    files_of(Settings(data=data, database_url=f"sqlite:///{there / 'orders.db'}"))
    assert {path.name for path in there.iterdir()} >= FILES | {"orders.db"}
    assert not data.exists()


def test_embedded_files_are_in_the_data_directory_without_a_database_url(tmp_path: Path) -> None:
    files_of(Settings(data=tmp_path / "data"))
    assert {path.name for path in (tmp_path / "data").iterdir()} >= FILES | {"conveyor.db"}


@pytest.mark.parametrize(
    ("url", "directory"),
    [
        ("", "data"),
        ("sqlite:////srv/shop/orders.db", "/srv/shop"),
        ("sqlite:///orders.db", "."),
        ("postgresql://shop@db/orders", "data"),
    ],
)
def test_the_directory_is_that_of_the_database_file(url: str, directory: str) -> None:
    assert Settings(data=Path("data"), database_url=url).directory == Path(directory)


@pytest.mark.parametrize(
    ("database", "replica"),
    [("", "postgresql://db/orders"), ("postgresql://db/orders", "sqlite:///orders.db")],
)
def test_a_replica_is_one_of_postgresql(database: str, replica: str) -> None:
    with pytest.raises(SettingError, match="CONVEYOR_DATABASE_READ_URL"):
        open_replica(Settings(database_url=database, database_read_url=replica))
