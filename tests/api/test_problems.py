"""Errors are those that OpenAPI tells, and each that it tells is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import count
from typing import Any, NoReturn

import httpx
import pytest
from tests.api.operations import NOTHING, PROBLEM_JSON, Operation, operations_of
from tests.api.serving import MERCHANT, Server

from conveyor.access.model import SCOPES
from conveyor.core.errors import CommitUnknownError, DatabaseUnavailableError
from conveyor.entrypoints.http.bodies import MAX_BODY_BYTES
from conveyor.entrypoints.http.codes import BEFORE_ALL, Code
from conveyor.flows.food.codes import FoodCode
from conveyor.flows.renewal.codes import RenewalCode
from conveyor.flows.travel.codes import TravelCode

Call = Callable[[Server, Operation], httpx.Response]

STEP_FIRST = {"answerStep"}  # it looks for the order and its step first, and finds none
SIGNED = {"confirmDelivery"}  # it looks at the signature before all else, and finds none
TO_QUEUE = {"sendToIntake"}  # which asks no database
OF_WHAT_IS_THERE = {"drainDeadLetters", "archivePage"}  # they write once they have found something
_fresh = count()
CODES = {str(code): code for code in (*Code, *FoodCode, *RenewalCode, *TravelCode)}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A system of its own, whose database can be taken away."""
    with Server(tmp_path_factory.mktemp("problems"), services=()) as running:
        yield running


@pytest.fixture(scope="module")
def operations(own: Server) -> list[Operation]:
    return operations_of(own)


def test_the_document_has_one_list_of_codes(own: Server, operations: list[Operation]) -> None:
    document = own.client().get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    assert schemas["Problem"]["properties"]["code"]["$ref"].endswith("/Code")
    assert set(schemas["Code"]["enum"]) == set(CODES)
    assert all(f"`{code}`" in document["info"]["description"] for code in CODES)
    anywhere = {Code.INTERNAL, Code.METHOD_NOT_ALLOWED} | BEFORE_ALL
    told = set().union(*(one.codes for one in operations))
    assert told | anywhere == set(CODES)


def test_each_code_has_an_example_of_its_status(operations: list[Operation]) -> None:
    for operation in operations:
        for status, answer in operation.described["responses"].items():
            examples = answer.get("content", {}).get(PROBLEM_JSON, {}).get("examples", {})
            assert (int(status) >= 400) == bool(examples), (operation.name, status)
            for code, example in examples.items():
                told = example["value"]
                assert (told["code"], str(told["status"])) == (code, status), operation.name
                assert CODES[code].status == int(status)


def no_key(server: Server, operation: Operation) -> httpx.Response:
    return operation.call(_client(server, frozenset()), NOTHING)


def wrong_scope(server: Server, operation: Operation) -> httpx.Response:
    return operation.call(_client(server, frozenset(SCOPES) - operation.scopes), NOTHING)


def nothing_there(server: Server, operation: Operation) -> httpx.Response:
    return operation.call(_client(server), NOTHING | {"name": f"nobody-{next(_fresh)}"})


def no_json(server: Server, operation: Operation) -> httpx.Response:
    return operation.call(_client(server), NOTHING, content=b"{")


def large_body(server: Server, operation: Operation) -> httpx.Response:
    return operation.call(_client(server), NOTHING, content=b" " * (MAX_BODY_BYTES + 1))


def no_such_parameter(server: Server, operation: Operation) -> httpx.Response:
    return operation.call(_client(server), NOTHING, params={"no_such_parameter": 1})


@pytest.mark.parametrize(
    ("code", "call", "but_for"),
    [
        (Code.UNAUTHENTICATED, no_key, set()),
        (Code.FORBIDDEN, wrong_scope, set()),
        (Code.NOT_FOUND, nothing_there, set()),
        (Code.MALFORMED_JSON, no_json, STEP_FIRST),
        (Code.INVALID, no_such_parameter, set()),
    ],
)
def test_an_operation_tells_a_code_if_and_only_if_it_sends_it(
    own: Server, operations: list[Operation], code: Code, call: Call, but_for: set[str]
) -> None:
    sent = {one.id for one in operations if _is(call(own, one), code)}
    told = {one.id for one in operations if code in one.codes}
    assert sent | but_for == told


def test_what_is_too_large_is_turned_away_whatever_it_asks_for(
    own: Server, operations: list[Operation]
) -> None:
    assert all(_is(large_body(own, one), Code.TOO_LARGE) for one in operations)


@pytest.mark.parametrize(
    ("code", "error", "methods"),
    [
        (Code.UNAVAILABLE, DatabaseUnavailableError("it", "is away"), ("run", "read", "examine")),
        (Code.UNKNOWN_OUTCOME, CommitUnknownError("it went"), ("run",)),
    ],
)
def test_without_its_database_an_operation_tells_that(  # noqa: PLR0917 - fixtures, and a case
    own: Server,
    operations: list[Operation],
    monkeypatch: pytest.MonkeyPatch,
    code: Code,
    error: Exception,
    methods: Sequence[str],
) -> None:
    _client(own)  # while a key can still be made

    async def fail(*_: object) -> NoReturn:
        raise error

    database: Any = own.app.engine.database
    for method in methods:
        monkeypatch.setattr(database, method, fail)
    sent = {one.id for one in operations if _is(nothing_there(own, one), code)}
    told = {one.id for one in operations if code in one.codes}
    # What was read can still be missing when only writing fails.
    finds = {one.id for one in operations if Code.NOT_FOUND in one.codes and "read" not in methods}
    assert sent - told == set()
    assert told - sent - SIGNED - TO_QUEUE - OF_WHAT_IS_THERE - finds == set()


@cache
def _client(server: Server, scopes: frozenset[str] = frozenset(SCOPES)) -> httpx.Client:
    return server.client_of(MERCHANT, scopes) if scopes else server.client("")


def _is(answer: httpx.Response, code: Code) -> bool:
    if answer.headers.get("content-type") != PROBLEM_JSON:
        return False
    problem = answer.json()
    if problem["code"] != code:
        return False
    assert (problem["status"], answer.status_code) == (code.status, code.status)
    assert problem["title"]
    assert problem["detail"]
    return True
