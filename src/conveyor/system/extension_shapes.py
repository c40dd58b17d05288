"""What an extension is made of is of the types that it should be: nobody checks that but mypy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from conveyor.access.model import SCOPE_PATTERN, SCOPES
from conveyor.commerce.orders.model import OrderBody
from conveyor.core.routing_slip import Flow, Step
from conveyor.core.step import CallStep, LocalStep
from conveyor.extension import Archiving, Extension, ExternalStep, Port, Service

FUNCTIONS = (
    "loops",
    "glimpse",
    "checks",
    "page_checks",
    "comparisons",
    "routes",
    "commands",
    "demo",
    "facts",
    "forget",
)
NAME_WITH_TABLE = re.compile(r"[a-z][a-z0-9_]{0,39}")


def misshapen(extension: Extension) -> Iterator[str]:
    """Say what is of another type than it should be."""
    yield from _not_all("flows", extension.flows, Flow)
    yield from _not_all("services", extension.services, Service)
    for flow in extension.flows:
        yield from (f"flow {flow.name}: {wrong}" for wrong in _not_all("steps", flow.steps, Step))
    for service in extension.services:
        if not callable(service.steps):
            yield from _no_table(f"the steps of service {service.name}", service.steps)
        calls: object = service.calls
        if not isinstance(calls, Port | None):
            yield f"service {service.name} calls {_type(calls)}, not a Port"
    bodies: Mapping[str, object] = extension.bodies
    for name, body in bodies.items():
        if not isinstance(body, type) or not issubclass(body, OrderBody):
            yield f"the body of {name!r} is no subclass of OrderBody"
    yield from _wrong_hooks(extension)
    yield from _wrong_tables(extension)


def _wrong_hooks(extension: Extension) -> Iterator[str]:
    for name in FUNCTIONS:
        given = getattr(extension, name)
        if not callable(given):
            yield f"its {name} are {_type(given)}, not a function that gives them"
    yield from _not_all("ports", extension.ports, Port)
    offers: Mapping[Port[Any], Mapping[str, object]] = extension.offers
    for port, named in offers.items():
        for offered, opens in named.items():
            if not callable(opens):
                yield f"for the {port.name} it offers {offered!r}, {_type(opens)}, not a function"
    lives: Mapping[str, object] = extension.lives
    for name, gives in lives.items():
        if not callable(gives):
            yield f"its lives of {name!r} are {_type(gives)}, not a function that gives them"
    for scope in extension.scopes:
        if not re.fullmatch(SCOPE_PATTERN, scope) or scope in SCOPES:
            yield f"{scope!r} cannot be a scope of its own: a-z, 0-9, _ and -, and none of ours"


def _wrong_tables(extension: Extension) -> Iterator[str]:
    tables: object = extension.tables
    if not isinstance(tables, sa.MetaData | None):
        yield f"its tables are {_type(tables)}, not an sqlalchemy.MetaData"
    belongings: Iterable[object] = extension.belongings
    for table in belongings:
        if not isinstance(table, sa.Table) or "order_id" not in table.c:
            yield f"among its belongings is {table!r:.60}, which is no table with an order_id"
    archiving: object = extension.archiving
    if not isinstance(archiving, Archiving):
        yield f"its archiving is {_type(archiving)}, not an Archiving"
    if extension.migrations and not NAME_WITH_TABLE.fullmatch(extension.name):
        yield "with migrations its name is also that of a table: a-z first, then a-z, 0-9 and _"


def no_step(step: object) -> str:
    """Say why this is no step; '' when it is one."""
    if isinstance(step, LocalStep | CallStep | ExternalStep):
        return ""
    if isinstance(step, type):
        return f"is the class {step.__name__}: make one of it, as in {step.__name__}(...)"
    return f"is {_type(step)}: make it a LocalStep(...), an AwaitingStep(...) or a CallStep"


def _no_table(what: str, given: object) -> Iterator[str]:
    if not isinstance(given, Mapping):
        yield f"{what} are {_type(given)}, not a table of steps by their names"


def _not_all(field: str, given: object, kind: type) -> Iterator[str]:
    if isinstance(given, kind):
        yield f"its {field} are one {kind.__name__} and no tuple: a comma is missing, as in (X,)"
    elif not isinstance(given, tuple | list):
        yield f"its {field} are {_type(given)}, not a tuple"
    else:
        for member in given:
            if not isinstance(member, kind):
                yield f"among its {field} is {member!r:.60}, which is no {kind.__name__}"


def _type(given: object) -> str:
    return f"of type {type(given).__name__}"
