"""Every code of the API's problems is provoked once, and looks as its example in the document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from tests.api.food import PLACE, SHIFT, Town, ticket
from tests.api.operations import PROBLEM_JSON, operations_of
from tests.api.serving import Server, order_of, paid_by, place, problem_of, stock_up, wait_for
from tests.edge.wire import Answer, Wire, ask
from tests.flows.travel_driver import flight, journey
from tests.servers.waiting import wait_until

from conveyor.commerce.orders import placement
from conveyor.core.errors import CommitUnknownError, DatabaseUnavailableError
from conveyor.entrypoints.http.bodies import MAX_BODY_BYTES
from conveyor.entrypoints.http.codes import Code, ProblemCode
from conveyor.flows.food.codes import FoodCode
from conveyor.flows.renewal.codes import RenewalCode
from conveyor.flows.travel.codes import TravelCode
from conveyor.operations.archive import Shelf

CONNECTIONS = 20
UNREAL = "01KDVXQG0053EJ2M8Q4N7T6WAB"
BECAUSE = {"reason": "looked into it"}
PLAN = {"price": 999, "currency": "USD", "months": 1, "trial_days": 30}
SUBSCRIPTION = {"id": "s1", "customer": "00001", "plan": "gold", "card": "card_ok"}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A system and a merchant of its own."""
    home = tmp_path_factory.mktemp("codes")
    given: dict[str, Any] = {"connections_by_address": CONNECTIONS, "header_seconds": 0.5}
    with Server(home, archive=str(home / "archive"), **given) as server:
        town = Town(server, "acme", "r1")
        stock_up(town.owner)
        yield town


def of_a_key(town: Town) -> dict[ProblemCode, httpx.Response]:
    reader = town.server.client_of(town.merchant, ["read"])
    return {
        Code.UNAUTHENTICATED: town.server.client("cvy_unknown").get("/v1/orders"),
        Code.FORBIDDEN: reader.post("/v1/orders", json=order_of()),
        Code.NOT_FOUND: town.owner.get(f"/v1/orders/{UNREAL}"),
        Code.METHOD_NOT_ALLOWED: town.owner.patch("/v1/orders"),
        Code.WEBHOOK_REJECTED: reader.post("/v1/webhooks/carrier", json={}),
    }


def of_placing(town: Town) -> dict[ProblemCode, httpx.Response]:
    place(town.owner, key="k")
    again = {"idempotency-key": "k"}
    return {
        Code.MALFORMED_JSON: town.owner.post("/v1/orders", content=b"{"),
        Code.TOO_LARGE: town.owner.post("/v1/orders", content=b" " * (MAX_BODY_BYTES + 1)),
        Code.INVALID: town.owner.post("/v1/orders", json=order_of(total=1)),
        Code.KEY_REUSED: town.owner.post("/v1/orders", json=order_of(reference="a"), headers=again),
    }


def of_an_operator(town: Town) -> dict[ProblemCode, httpx.Response]:
    done, owing = place(town.owner), place(town.owner, paid_by("card_unanswered"))
    wait_for(town.owner, done, "completed")
    wait_for(town.owner, owing, "parked")
    decide = "/v1/dead-letters/{}/{}".format
    return {
        Code.TOO_LATE: town.owner.post(f"/v1/orders/{done}/cancel"),
        Code.NOT_PARKED: town.owner.post(decide(done, "redrive")),
        Code.NOT_WAITING: town.owner.post(f"/v1/orders/{done}/retry"),
        Code.STILL_OWES: town.owner.post(decide(owing, "discard"), json=BECAUSE),
        Code.NOT_COMPLETED: town.owner.post(f"/v1/orders/{owing}/refund", json=BECAUSE),
        Code.NOT_REFUNDABLE: _free_of_charge(town),
        TravelCode.GIVEN_AWAY: _given_away(town),
    }


def _free_of_charge(town: Town) -> httpx.Response:
    free = order_of(items=[{"sku": "CD", "quantity": 1, "unit_price": 0}], total=0)
    order_id = place(town.owner, free)
    wait_for(town.owner, order_id, "completed")
    return town.owner.post(f"/v1/orders/{order_id}/refund", json=BECAUSE)


def _given_away(town: Town) -> httpx.Response:
    plane = "/v1/resources/flight/UA1545/2013-01-01"
    _set(town, plane, {"capacity": 1})
    wait_for(town.owner, place(town.owner, journey(flight())), "completed")
    return town.owner.put(plane, json={"capacity": 0})


def of_a_meal(town: Town) -> dict[ProblemCode, httpx.Response]:
    first, second = town.order(), town.order()
    _set(town, "/v1/restaurants/luigi", PLACE | {"max_preparing": 0})
    full = town.kitchen.post(ticket(first, "accept"), json={"minutes": 5})
    _set(town, "/v1/restaurants/luigi", PLACE)
    _set(town, "/v1/riders/r1", PLACE | {"shift_until": SHIFT, "capacity": 2})
    town.accept(first)
    town.accept(second)  # and both are offered to the only rider
    nobody = town.key_of("rider", "r2")
    return {
        FoodCode.KITCHEN_FULL: full,
        Code.NOT_AWAITED: town.kitchen.post(ticket(first, "accept"), json={"minutes": 5}),
        FoodCode.NOT_NOW: town.say("r1", first, "delivered"),
        FoodCode.NOT_OFFERED: nobody.post(f"/v1/riders/r2/offers/{first}/accept"),
        FoodCode.CARRIES_MORE: town.owner.put("/v1/riders/r1", json=PLACE | {"capacity": 1}),
    }


def _set(town: Town, path: str, body: dict[str, Any]) -> None:
    town.owner.put(path, json=body).raise_for_status()


def of_a_subscription(town: Town) -> dict[ProblemCode, httpx.Response]:
    town.owner.put("/v1/plans/gold", json=PLAN).raise_for_status()
    town.owner.post("/v1/subscriptions", json=SUBSCRIPTION).raise_for_status()
    other_plan = {"plan": "none"}
    return {
        RenewalCode.PLAN_IN_USE: town.owner.put("/v1/plans/gold", json=PLAN | {"months": 2}),
        RenewalCode.ID_TAKEN: town.owner.post("/v1/subscriptions", json=SUBSCRIPTION),
        RenewalCode.NOT_POSSIBLE: town.owner.put("/v1/subscriptions/s1/plan", json=other_plan),
    }


def of_the_process(town: Town) -> dict[ProblemCode, httpx.Response]:
    app = town.server.app
    app.placement._in_flight.add((town.merchant, "under way"))
    again = {"idempotency-key": "under way"}
    answers: dict[ProblemCode, httpx.Response] = {
        Code.KEY_IN_FLIGHT: town.owner.post("/v1/orders", json=order_of(), headers=again)
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placement, "MAX_WAITING", 0)
        answers[Code.OVERLOADED] = town.owner.post("/v1/orders", json=order_of())
    done = place(town.owner)
    wait_for(town.owner, done, "completed")
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(app.engine.registry.flows, "shop@1")
        answers[Code.FLOW_MISSING] = town.owner.post(f"/v1/orders/{done}/cancel")
    for code, error, method, path in (
        (Code.UNAVAILABLE, DatabaseUnavailableError("it", "is away"), "PUT", "/v1/stock/CD"),
        (Code.UNKNOWN_OUTCOME, CommitUnknownError("it went"), "PUT", "/v1/stock/CD"),
        (Code.INTERNAL, RuntimeError("a bug"), "PUT", "/v1/stock/CD"),
        (Code.NOT_READY, DatabaseUnavailableError("it", "is away"), "GET", "/readyz"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(app.engine.database, "run", _raising(error))
            body = {"available": 1} if method == "PUT" else None
            answers[code] = town.owner.request(method, path, json=body)
    return answers


def of_the_archive(town: Town) -> dict[ProblemCode, httpx.Response]:
    directory = Path(town.server.app.settings.archive)
    asked = {"before": datetime.now(UTC).isoformat()}
    with Shelf(directory).locked():
        busy = town.owner.post("/v1/archive", json=asked)
    town.owner.post("/v1/archive", json=asked).raise_for_status()
    found = town.owner.get("/v1/archive/orders").json()["orders"]
    directory.rename(directory.with_name("elsewhere"))
    directory.touch()
    return {
        Code.ARCHIVE_BUSY: busy,
        Code.ARCHIVED: town.owner.get(f"/v1/orders/{found[0]['id']}"),
        Code.NO_ARCHIVE: town.owner.post("/v1/archive", json=asked),
    }


def _raising(error: Exception) -> Callable[..., Awaitable[NoReturn]]:
    async def fail(*_: object) -> NoReturn:
        raise error

    return fail


def of_the_edge(town: Town) -> dict[ProblemCode, httpx.Response]:
    url = town.server.url
    with ExitStack() as stack:
        crowd = [stack.enter_context(Wire(url)) for _ in range(CONNECTIONS)]
        for one in crowd:
            one.send(b"G")  # the kernel hands over a silent one only after a while
        refused = wait_until(lambda: ask(url), lambda it: it.status == Code.RATE_LIMITED.status)
        crowded = _as_response(refused)
        slow = _as_response(crowd[0].answer())
    wait_until(lambda: ask(url).status, lambda status: status == httpx.codes.OK)
    with Wire(url) as wire:
        wire.send(b"this is no HTTP\r\n\r\n")
        malformed = _as_response(wire.answer())
    return {
        Code.RATE_LIMITED: crowded,
        Code.TOO_SLOW: slow,
        Code.MALFORMED_REQUEST: malformed,
        Code.URL_TOO_LONG: _as_response(ask(url, f"/{'x' * 10_000}")),
        Code.HEADERS_TOO_LARGE: _as_response(ask(url, "/healthz", f"X-Long: {'x' * 40_000}")),
    }


def _as_response(answer: Answer) -> httpx.Response:
    return httpx.Response(answer.status, headers=answer.headers, text=answer.text)


STORIES = (
    of_a_key,
    of_placing,
    of_an_operator,
    of_a_meal,
    of_a_subscription,
    of_the_process,
    of_the_archive,
    of_the_edge,
)


def test_each_code_is_sent_as_its_example_tells(town: Town) -> None:
    answers: dict[ProblemCode, httpx.Response] = {}
    for story in STORIES:
        answers |= story(town)
    assert set(answers) == {*Code, *FoodCode, *RenewalCode, *TravelCode}
    examples: dict[str, Any] = {}
    for operation in operations_of(town.server):
        for described in operation.described["responses"].values():
            examples |= described.get("content", {}).get(PROBLEM_JSON, {}).get("examples", {})
    for code, answer in answers.items():
        problem = problem_of(answer, code.status)
        assert problem["code"] == code
        example = examples[code]["value"] if code in examples else problem
        same = ("type", "title", "status", "code")
        assert [problem[name] for name in same] == [example[name] for name in same]
        assert set(problem) == set(example)
