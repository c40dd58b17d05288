"""Settled orders go into the archive and are told of from there, on both databases."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from tests.api.archiving import CUSTOMER, MAIL, STREET, archive_all, files_of, orders_of_all_flows
from tests.api.keeping import notes
from tests.api.on_each import EACH, server_on
from tests.api.operators import log_of
from tests.api.serving import (
    Server,
    fields_of,
    order_of,
    paid_by,
    place,
    problem_of,
    stock_up,
    wait_for,
)
from tests.cli.driver import say

from conveyor.core.archived import archived_sums
from conveyor.core.transaction import Tx
from conveyor.settings import Settings
from conveyor.system.installation import installation
from conveyor.system.tables import tables_of

QUICK = {"food_pace_seconds": 0.05, "renewal_scan_seconds": 0.05}
FOR_GOOD = {"idempotency_keys", "operator_actions", "archived_orders"}
"""Tables that keep their rows of an archived order; see `operations.archive.documents`."""


@pytest.fixture(params=EACH)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    settings: dict[str, Any] = {**QUICK, "archive": str(tmp_path / "archive")}
    with server_on(request, request.param, tmp_path, **settings) as running:
        yield running


def kept_of(tx: Tx, order_id: str) -> set[str]:
    """Name the tables that have a row of this order."""
    tables = [
        it for metadata in tables_of(installation(Settings())) for it in metadata.tables.values()
    ]
    having = [(it, it.c.id if it.name == "orders" else it.c.get("order_id")) for it in tables]
    return {
        table.name
        for table, column in having
        if column is not None
        and tx.execute(sa.select(sa.func.count()).where(column == order_id)).scalar_one()
    }


def now() -> str:
    return datetime.now(UTC).isoformat()


def test_orders_of_all_flows_go_and_are_told_of(server: Server, tmp_path: Path) -> None:
    client = server.client_of("default")
    placed = orders_of_all_flows(client)
    stays = placed["renewed"]
    going = sorted({*placed.values()} - {stays})
    seen = {it: all_of(client, it) for it in going}
    before = now()
    (dry,) = archive_all(client, before, dry_run=True)
    why = "pays for what a subscription has now"
    assert (dry["archived"], dry["kept"]) == (len(going), {why: 1})
    assert dry["examples"] == {why: [stays]}
    assert not (tmp_path / "archive").exists()

    pages = archive_all(client, before, orders=4)
    assert sum(page["archived"] for page in pages) == len(going)
    database = server.app.parts.database
    for order_id in going:
        left = server.run(database.read(partial(kept_of, order_id=order_id)))
        assert left <= FOR_GOOD, order_id
        check_told(all_of(client, order_id), seen[order_id], pages)
    check_figures(client, len(placed), len(going))
    newest = log_of(client, action="orders.archive")[0]
    assert newest["detail"]["file"] == newest["subject"] == pages[-1]["file"]

    # The key of an archived order places no second one.
    key = {"idempotency-key": "declined"}
    again = client.post("/v1/orders", json=paid_by("card_declined"), headers=key)
    assert (again.status_code, again.json()["id"]) == (202, placed["declined"])
    other = client.post("/v1/orders", json=order_of(reference="other"), headers=key)
    assert problem_of(other, 422)["code"] == "key_reused"

    check_nothing_can_be_done(client, server.client_of("neighbour"), placed["bought"])
    # What is placed from now on is counted on from what went.
    wait_for(client, place(client, order_of()), "completed")
    assert client.get("/v1/audit").json()["clean"]
    (nothing,) = archive_all(client, before)
    assert (nothing["archived"], nothing["file"], nothing["next"]) == (0, None, None)


def check_nothing_can_be_done(client: httpx.Client, neighbour: httpx.Client, order_id: str) -> None:
    """See that an order which is shown is not said to be unknown, but to others."""
    for path, code in (
        (f"/v1/orders/{order_id}/cancel", "too_late"),
        (f"/v1/orders/{order_id}/retry", "not_waiting"),
        (f"/v1/dead-letters/{order_id}/redrive", "not_parked"),
    ):
        assert problem_of(client.post(path), 409)["code"] == code
        problem_of(neighbour.post(path), 404)


def all_of(client: httpx.Client, order_id: str) -> list[dict[str, Any]]:
    """Give all that is told of an order."""
    path = f"/v1/orders/{order_id}"
    return [client.get(f"{path}{what}").json() for what in ("", "/explain", "/timeline")]


def check_told(
    now_: list[dict[str, Any]], then: list[dict[str, Any]], pages: list[dict[str, Any]]
) -> None:
    """See that the same is told as before, and where it is told from."""
    file = now_[0]["archived"]["file"]
    assert file in {page["file"] for page in pages}
    said = [it for it in now_[1]["sentences"] if file in it]
    assert len(said) == 1
    now_[1]["sentences"].remove(said[0])
    # What is at its end there can be given no money back.
    for choice in then[1]["choices"]:
        then[1]["sentences"].remove(f"You can {choice['what']} it: that {choice['does']}.")
    then[1]["choices"] = []
    assert now_[1]["archived"] == now_[0]["archived"]
    assert [{**it, "archived": None} for it in now_] == [{**it, "archived": None} for it in then]


def check_figures(client: httpx.Client, placed: int, archived: int) -> None:
    """See that lists, sums and the audit know that they went."""
    assert len(client.get("/v1/orders").json()["orders"]) == placed - archived
    summary = client.get("/v1/summary").json()
    assert (summary["placed"], summary["archived"]) == (placed - archived, archived)
    assert client.get("/v1/summary", params={"key_prefix": "bou"}).json()["archived"] == 1
    audit = client.get("/v1/audit").json()
    assert audit["clean"], [it for it in audit["checks"] if it["violations"]]
    (counted,) = (it for it in audit["checks"] if it["name"] == "placed_is_there")
    left = placed - archived
    assert counted["figures"] == {"placed": placed, "there": left, "archived": archived}


def test_a_customer_is_forgotten_in_the_archive_too(server: Server, tmp_path: Path) -> None:
    client = server.client_of("default")
    placed = orders_of_all_flows(client)
    archive_all(client, now())
    assert MAIL in files_of(tmp_path / "archive")
    said = client.post("/v1/customers/erase", json={"customer": CUSTOMER}).json()
    assert said == {"customer": CUSTOMER, "erased": 1, "erased_before": 0, "kept": []}
    left = files_of(tmp_path / "archive")
    assert MAIL not in left
    assert STREET not in left
    assert left.count('{"order":') == len(placed) - 1  # one renewal stays where it is
    story = client.get(f"/v1/orders/{placed['bought']}/explain").json()
    assert any("erased on 20" in sentence for sentence in story["sentences"])
    assert story["payment"]["captured"] == 2354
    again = client.post("/v1/customers/erase", json={"customer": CUSTOMER}).json()
    assert (again["erased"], again["erased_before"]) == (0, 1)
    # It is not placed a second time, though nobody can tell any more that it is the same.
    answer = client.post("/v1/orders", json=order_of(), headers={"idempotency-key": "bought"})
    assert answer.json()["code"] == "key_reused"
    assert client.get("/v1/audit").json()["clean"]


def test_a_file_that_is_not_at_hand_is_named(tmp_path: Path) -> None:
    with Server(tmp_path, archive=str(tmp_path / "archive")) as server:
        client = server.client_of("default")
        stock_up(client)
        order_id = place(client, order_of(customer={"id": "hers"}))
        wait_for(client, order_id, "completed")
        (page,) = archive_all(client, now())
        stranger = server.client_of("another")
        assert problem_of(stranger.get(f"/v1/orders/{order_id}"), 404)["code"] == "not_found"
        merchants = server.client_of("default", ["read"])
        (tmp_path / "archive").rename(tmp_path / "elsewhere")
        for path in ("", "/explain", "/timeline"):
            problem = problem_of(client.get(f"/v1/orders/{order_id}{path}"), 410)
            assert problem["code"] == "archived"
            assert page["file"] in problem["detail"]
            assert str(tmp_path) in problem["detail"]
            told = problem_of(merchants.get(f"/v1/orders/{order_id}{path}"), 410)["detail"]
            assert page["file"] in told
            assert str(tmp_path) not in told
        said = client.post("/v1/customers/erase", json={"customer": "hers"}).json()
        assert said["erased"] == 0
        (kept,) = said["kept"]
        assert kept["what"] == f"archive {page['file']}"
        assert kept["why"].startswith("has 1 order of theirs, and cannot be")
        assert str(tmp_path) not in kept["why"]


def cut_off(packed: bytes) -> bytes:
    return packed[: len(packed) // 2]


def of_a_few_bytes(packed: bytes) -> bytes:
    return packed[:7]


def of_no_byte(_: bytes) -> bytes:
    return b""


def rotten(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes(255 - it for it in packed[middle : middle + 40]) + packed[-8:]


def of_something_else(_: bytes) -> bytes:
    return gzip.compress(b'{"order":"01')


@pytest.mark.parametrize("damage", [cut_off, of_a_few_bytes, of_no_byte, rotten, of_something_else])
def test_a_file_that_is_damaged_is_named(
    tmp_path: Path, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    with Server(tmp_path, archive=str(tmp_path / "archive")) as server:
        client = server.client_of("default")
        stock_up(client)
        them = [place(client, order_of(customer={"id": "hers"})) for _ in range(3)]
        for order_id in them:
            wait_for(client, order_id, "completed")
        (page,) = archive_all(client, now())
        merchants = server.client_of("default", ["read"])
        file = tmp_path / "archive" / page["file"]
        file.write_bytes(damage(file.read_bytes()))
        for path in ("", "/explain", "/timeline"):
            problem = problem_of(client.get(f"/v1/orders/{them[-1]}{path}"), 410)
            assert problem["code"] == "archived"
            assert page["file"] in problem["detail"]
            assert str(tmp_path / "archive") in problem["detail"]
            assert "from a backup" in problem["detail"]
            told = problem_of(merchants.get(f"/v1/orders/{them[-1]}{path}"), 410)["detail"]
            assert f"{page['file']}, which cannot be read here" in told
            assert str(tmp_path) not in told
        said = client.post("/v1/customers/erase", json={"customer": "hers"}).json()
        assert (said["erased"], len(said["kept"])) == (0, 1)
        assert said["kept"][0]["what"] == f"archive {page['file']}"
        assert str(tmp_path) not in said["kept"][0]["why"]
    assert "Traceback" not in caplog.text


def test_what_cannot_be_archived_says_why(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        client = server.client_of("default")
        unnamed = client.post("/v1/archive", json={"before": "2026-01-01"})
        assert problem_of(unnamed, 409)["code"] == "no_archive"
        for wrong in ("yesterday", "2026-13-01", "2026-01-01T00:00:00", "2999-01-01"):
            assert fields_of(client.post("/v1/archive", json={"before": wrong})) == {"before"}
        reader = server.client_of("default", ["read"])
        answer = reader.post("/v1/archive", json={"before": "2026-01-01"})
        assert problem_of(answer, 403)["code"] == "forbidden"


def test_by_the_command_line(tmp_path: Path) -> None:
    data, directory = tmp_path / "data", tmp_path / "archive"
    with Server(data, archive=str(directory)) as server:
        client = server.client_of("default")
        stock_up(client)
        for number in range(3):
            body = order_of(reference=f"no-{number}")
            wait_for(client, place(client, body), "completed")
        parked = place(client, order_of(payment={"method": "card_down"}))
        wait_for(client, parked, "parked")
        reach = {"CONVEYOR_SERVER": server.url, "CONVEYOR_API_KEY": server.local_key}
        assert (
            "knows only its own directory"
            in say("archive", "--before", "2026-01-01", "--archive", directory, **reach).err
        )
        said = say("archive", "--before", now(), "--dry-run", **reach)
        assert said.out == "3 orders would be archived.\n"
        done = say("archive", "--before", now(), "--page", 2, "--json", **reach).json()
        assert (done["archived"], len(done["files"]), done["complete"]) == (3, 2, True)
    apart = ["--data", data]
    told = say("explain", "no-1", "--archive", directory, *apart)
    assert "It was archived on 20" in told.out
    assert "shipping.ship is done" in told.out
    shown = say("orders", "show", "no-1", *apart, CONVEYOR_ARCHIVE=str(directory))
    assert done["files"][0] in shown.out
    lost = say("explain", "no-1", *apart)
    assert lost.code == 1
    assert "CONVEYOR_ARCHIVE" in lost.err
    assert say("audit", *apart).code == 0


@pytest.mark.parametrize("says", [True, False], ids=["says", "says-nothing"])
def test_an_extension_says_what_becomes_of_its_own(tmp_path: Path, says: bool) -> None:
    named = f"tests.api.keeping:{'SAYS' if says else 'SAYS_NOTHING'}"
    directory = tmp_path / "archive"
    with Server(tmp_path, archive=str(directory), extensions=named) as server:
        client = server.client_of("default")
        stock_up(client)
        texts = {place(client, order_of(customer={"id": "hers"})): it for it in ("open", "canary")}
        for order_id in texts:
            wait_for(client, order_id, "completed")
        rows = [
            {"order_id": it, "text": text, "is_open": text == "open"} for it, text in texts.items()
        ]
        database = server.app.parts.database
        server.run(database.run(lambda tx: tx.execute(sa.insert(notes), rows)))
        (page,) = archive_all(client, now())
        assert page["kept"] == ({"has an open note": 1} if says else {})
        left = server.run(
            database.read(lambda tx: tx.execute(sa.select(notes.c.text)).scalars().all())
        )
        assert left == (["open"] if says else [])
        sums = sa.select(archived_sums.c.amount).where(archived_sums.c.of == "notes")
        remembered = server.run(database.read(lambda tx: tx.execute(sums).scalars().all()))
        assert remembered == ([1] if says else [])
        assert "canary" in files_of(directory)
        assert client.post("/v1/customers/erase", json={"customer": "hers"}).json()["erased"] == 2
        assert "canary" not in files_of(directory)
        assert ("forgotten" in files_of(directory)) is says  # else its rows went whole
        assert client.get("/v1/audit").json()["clean"]
