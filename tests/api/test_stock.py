"""Stock: what there is to sell, merchant by merchant."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests.api.serving import Server, fields_of, problem_of

from conveyor.flows.shop.inventory.model import MAX_AVAILABLE
from conveyor.flows.shop.schemas import MAX_STOCK_ROWS


def test_stock_is_set_and_listed_page_by_page(server: Server) -> None:
    client = server.client_of("shelves")
    for number in range(5):
        answer = client.put(f"/v1/stock/SKU-{number}", json={"available": number})
        assert answer.json() == {
            "sku": f"SKU-{number}",
            "received": number,
            "available": number,
            "reserved": 0,
            "sold": 0,
        }
    first = client.get("/v1/stock", params={"limit": 3}).json()
    rest = client.get("/v1/stock", params={"limit": 3, "cursor": first["next"]}).json()
    assert [row["sku"] for row in first["stock"]] == ["SKU-0", "SKU-1", "SKU-2"]
    assert [row["sku"] for row in rest["stock"]] == ["SKU-3", "SKU-4"]
    assert rest["next"] is None


@pytest.mark.parametrize("sku", ["A/B", "..", "50% off?", "import", "\N{SNOWMAN}", " "])
def test_a_sku_may_be_any_printable_text(server: Server, sku: str) -> None:
    client = server.client_of("odd")
    answer = client.put(
        f"/v1/stock/{quote(sku, safe='').replace('.', '%2E')}", json={"available": 1}
    )
    assert answer.json()["sku"] == sku


def test_many_are_set_at_once_and_the_last_row_of_a_sku_counts(server: Server) -> None:
    client = server.client_of("import")
    rows = [
        {"sku": "A", "available": 1},
        {"sku": "B", "available": 2},
        {"sku": "A", "available": 3},
    ]
    assert client.post("/v1/stock/import", json={"stock": rows}).json() == {"skus": 2}
    stock = client.get("/v1/stock").json()["stock"]
    assert {row["sku"]: row["available"] for row in stock} == {"A": 3, "B": 2}


def test_one_wrong_row_sets_none(server: Server) -> None:
    client = server.client_of("half")
    rows = [{"sku": "A", "available": 1}, {"sku": "B", "available": -2}]
    answer = client.post("/v1/stock/import", json={"stock": rows})
    assert fields_of(answer) == {"stock.1.available"}
    assert client.get("/v1/stock").json()["stock"] == []


@pytest.mark.parametrize("available", [-1, MAX_AVAILABLE + 1, 10**30, 1.5, "1", None, True])
def test_what_is_available_is_a_whole_number_within_limits(
    client: httpx.Client, available: Any
) -> None:
    answer = client.put("/v1/stock/CD", json={"available": available})
    assert fields_of(answer) == {"available"}


@pytest.mark.parametrize("sku", ["", "%00", "a" * 201, "%0A"])
def test_a_wrong_sku_is_named(client: httpx.Client, sku: str) -> None:
    assert fields_of(client.put(f"/v1/stock/{sku}", json={"available": 1})) == {"sku"}


def test_an_import_has_a_limit(client: httpx.Client) -> None:
    rows = [{"sku": "A", "available": 1}] * (MAX_STOCK_ROWS + 1)
    assert fields_of(client.post("/v1/stock/import", json={"stock": rows})) == {"stock"}


def test_stock_is_its_merchants_own(server: Server) -> None:
    server.client_of("left").put("/v1/stock/CD", json={"available": 1})
    server.client_of("right").put("/v1/stock/CD", json={"available": 2})
    found = server.client_of("left").get("/v1/stock").json()["stock"]
    assert [row["available"] for row in found] == [1]


def test_only_an_operator_sets_stock(server: Server) -> None:
    client = server.client_of("default", ["place", "read"])
    problem_of(client.put("/v1/stock/CD", json={"available": 1}), 403)
    problem_of(client.post("/v1/stock/import", json={"stock": []}), 403)
    assert client.get("/v1/stock").status_code == 200
