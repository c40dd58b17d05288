"""What is asked of the log of operators, on any database."""

from __future__ import annotations

from typing import Any

import httpx

from conveyor.core.operator_actions import operator_actions


def log_of(client: httpx.Client, **filters: Any) -> list[dict[str, Any]]:
    """Give the newest lines."""
    answer = client.get("/v1/operators/log", params=filters)
    assert answer.status_code == 200, answer.text
    actions: list[dict[str, Any]] = answer.json()["actions"]
    return actions


def check_operators_log(client: httpx.Client) -> None:
    """Change this and that, and find it in the log, by whom and why; and no more than that."""
    made = client.post("/v1/keys", json={"scopes": ["place"], "label": "shop"}).json()
    client.put("/v1/stock/LOGGED", params={"why": "a delivery"}, json={"available": 3})
    client.post("/v1/stock/import", json={"stock": [{"sku": "LOGGED", "available": 4}]})
    client.post("/v1/renewals/pause", params={"why": "a wrong price"})
    client.post("/v1/renewals/resume", json={"per_cent": 100})
    client.delete(f"/v1/keys/{made['id']}", params={"why": "it was lost"})
    client.put("/v1/stock/LOGGED", params={"why": "x" * 501}, json={"available": 5})

    found = [(it["action"], it["subject"], it["why"]) for it in log_of(client, limit=6)]
    assert found == [
        ("keys.revoke", made["id"], "it was lost"),
        ("renewals.resume", None, None),
        ("renewals.pause", None, "a wrong price"),
        ("stock.import", None, None),
        ("stock.set", "LOGGED", "a delivery"),
        ("keys.create", made["id"], None),
    ]
    [first] = log_of(client, limit=1)
    assert (first["place"], first["person"]) == ("127.0.0.1", None)
    assert client.get("/v1/operators/log", params={"what": "stock.set"}).status_code == 422
    page = client.get("/v1/operators/log", params={"limit": 2}).json()
    older = log_of(client, limit=1, cursor=page["next"])
    assert older[0]["action"] == "renewals.pause"


def check_append_only(sources: list[str]) -> None:
    """See that no statement of ours changes or deletes a line of it."""
    name = operator_actions.name
    for source in sources:
        for verb in ("sa.update", "sa.delete", "UPDATE ", "DELETE FROM "):
            assert f"{verb}({name}" not in source
            assert f"{verb}{name}" not in source
