"""A customer is forgotten, on both databases, by HTTP and by the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.api.erasing import check_erasure, check_what_is_under_way
from tests.api.on_each import EACH, server_on
from tests.api.operators import check_operators_log, log_of
from tests.api.serving import Server, order_of, place, stock_up, wait_for
from tests.cli.driver import say
from tests.flows.canaries import found_in

from conveyor.core import dead_messages
from conveyor.core.message import Token, encode
from conveyor.core.queue import Received
from conveyor.core.transaction import Tx


@pytest.fixture(params=EACH)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with server_on(request, request.param, tmp_path) as running:
        stock_up(running.client())
        yield running


def dumped(tx: Tx) -> list[str]:
    """Give all that is in any table."""
    names = sa.inspect(tx.connection).get_table_names()
    whole = [sa.select(sa.text("*")).select_from(sa.table(name)) for name in names]
    return [str([*map(tuple, tx.execute(query))]) for query in whole]


def test_a_customer_is_forgotten(server: Server) -> None:
    database = server.app.parts.database

    def left(canaries: set[str]) -> set[str]:
        return found_in(server.run(database.read(dumped)), canaries)

    check_erasure(server, server.client_of("default"), left)
    check_operators_log(server.client_of("default"))


def test_messages_that_may_tell_of_them_are_named(server: Server) -> None:
    database, client = server.app.parts.database, server.client_of("default")
    token = encode(Token("01KDVXQG0053EJ2M8Q4N7T6WAB", "payments.authorize", 1), 0)
    bodies = ['{"customer":{"id":"hers"}}', '{"customer":{"id":"his"}}', "<xml/>", "%", token]
    letters = [
        Received(body, "", f"m{number}", 6, number // 2, 0) for number, body in enumerate(bodies)
    ]
    server.run(database.run(lambda tx: dead_messages.keep(tx, "intake", letters, 1)))
    said = client.post("/v1/customers/erase", json={"customer": "hers"}).json()
    assert [it["what"] for it in said["kept"]] == ["message m0", "2 messages"]
    assert "dead letters of intake and names them" in said["kept"][0]["why"]
    assert "cannot be read, so may tell of them" in said["kept"][1]["why"]
    stranger = server.client_of("neighbour")
    assert not stranger.post("/v1/customers/erase", json={"customer": "hers"}).json()["kept"]
    for message in ("m0", "m2", "m3"):
        discard = f"/v1/dead-letters/{message}/discard"
        assert client.post(discard, json={"reason": "of no use"}).is_success
    assert not client.post("/v1/customers/erase", json={"customer": "hers"}).json()["kept"]


def test_who_is_under_way_is_named(tmp_path: Path) -> None:
    with Server(tmp_path, delivery_delay_seconds=3_600.0) as server:
        stock_up(server.client())
        check_what_is_under_way(server.client_of("default"))


def test_a_subscription_that_goes_on_keeps_its_card(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        client = server.client_of("default")
        plan = {"price": 500, "currency": "USD", "months": 1, "trial_days": 30}
        assert client.put("/v1/plans/monthly", json=plan).status_code == 200
        begun = {"id": "s1", "customer": "c1", "plan": "monthly", "card": "card_hers"}
        answer = client.post("/v1/subscriptions", json=begun)
        assert answer.status_code == 201, answer.text
        said = client.post("/v1/customers/erase", json={"customer": "c1"}).json()
        assert said["kept"] == [{"what": "subscription s1", "why": "goes on"}]
        client.post("/v1/subscriptions/s1/cancel")


def test_by_the_command_line(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        stock_up(server.client())
        client = server.client_of("default")
        wait_for(client, place(client, order_of()), "completed")
        reach = {"CONVEYOR_SERVER": server.url, "CONVEYOR_API_KEY": server.local_key}
        said = say("customers", "erase", "00001", "--why", "by letter", **reach)
        assert (said.code, said.out) == (0, "Erased in 1 orders of customer 00001.\n")
        assert log_of(client, limit=1)[0]["why"] == "by letter"
