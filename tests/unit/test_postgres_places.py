"""URLs of PostgreSQL that name one server, or several that stand in for one another."""

from __future__ import annotations

import psycopg
import pytest

from conveyor.adapters.postgres.connections import DRIVER, open_engine
from conveyor.adapters.postgres.creation import beside
from conveyor.adapters.postgres.errors import PostgresUrlError
from conveyor.adapters.postgres.places import STANDBY, place_of, shown

PASSWORD = "p%40s,s"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{PASSWORD}@one:5433,two:5434/orders",
        f"postgresql://me:{PASSWORD}@one:5433,[::1]:5434,three/orders?sslmode=require",
        "postgresql://one,two/orders",
        "postgresql://one,two,three:5434/",
        "postgresql://me@/orders?host=one,two&port=5433,5434",
        f"postgresql://me:{PASSWORD}@one:5433/orders",
    ],
)
def test_it_is_read_as_libpq_reads_it(url: str) -> None:
    theirs = {name: str(it) for name, it in psycopg.conninfo.conninfo_to_dict(url).items() if it}
    engine = open_engine(url, 1, pooled=False)
    _, ours = engine.dialect.create_connect_args(engine.url)
    several = "," in theirs["host"]

    assert {name: str(ours[name]) for name in theirs} == theirs
    assert ours.get("target_session_attrs") == ("read-write" if several else None)
    assert engine.url.drivername == DRIVER


def test_who_says_which_server_it_is_to_be_is_heard() -> None:
    url = "postgresql://one,two/orders"
    assert place_of(url, STANDBY).query["target_session_attrs"] == "prefer-standby"
    assert place_of(f"{url}?target_session_attrs=any").query["target_session_attrs"] == "any"


def test_the_database_beside_it_is_on_the_same_servers() -> None:
    theirs = psycopg.conninfo.conninfo_to_dict(beside("postgresql://me@one:1,two:2/shop", "_x"))
    told = (theirs["host"], theirs["port"], theirs["dbname"], theirs["target_session_attrs"])
    assert told == ("one,two", "1,2", "shop_x", "read-write")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"postgresql://me:{PASSWORD}@one:1,two:2/orders", "postgresql://one:1,two:2/orders"),
        (f"postgresql://me:{PASSWORD}@one,two/orders", "postgresql://one,two/orders"),
        ("postgresql:///orders?host=one,two&port=1", "postgresql://one:1,two:1/orders"),
        (f"postgresql://me:{PASSWORD}@one:1/orders?sslmode=x", "postgresql://one:1/orders"),
    ],
)
def test_it_is_shown_without_user_and_password(url: str, said: str) -> None:
    assert shown(place_of(url)) == said


@pytest.mark.parametrize("hosts", ["one:1,two:b", "one:1:1,two"])
def test_what_is_no_place_says_so_without_its_password(hosts: str) -> None:
    with pytest.raises(PostgresUrlError) as caught:
        open_engine(f"postgresql://me:secret@{hosts}/orders", 1, pooled=False)
    assert "secret" not in str(caught.value)
