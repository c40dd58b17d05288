"""What a package brings, written down on one page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from conveyor.checks import Check, Comparison, Examination, PageCheck
from conveyor.commerce.orders.model import OrderBody
from conveyor.commerce.payments.ports import Payer
from conveyor.core.order import Order
from conveyor.core.routing_slip import Flow
from conveyor.core.supervision import Loop
from conveyor.core.transaction import Tx
from conveyor.extension.hooks import (
    Archiving,
    Demo,
    Fact,
    Kept,
    OfCustomer,
    Routes,
    Running,
    Service,
)
from conveyor.extension.ports import Opens, Port


def no_loops(_running: Running, _services: Collection[str]) -> Iterable[tuple[str, Loop]]:
    """Run nothing."""
    return ()


def nothing() -> Iterable[Any]:
    """Bring nothing."""
    return ()


def no_demo() -> Demo | None:
    """Show nothing."""
    return None


def no_facts(_tx: Tx, _order: Order) -> Iterable[Fact]:
    """Know nothing more."""
    return ()


def no_skus(_tx: Tx, _merchant: str, _beginning: str, _most: int) -> Iterable[str]:
    """Sell nothing."""
    return ()


def no_traces(_tx: Tx, _whose: OfCustomer) -> Iterable[Kept]:
    """Keep nothing personal in tables of one's own."""
    return ()


def no_page_checks(_examination: Examination) -> Iterable[PageCheck]:
    """Look at no order."""
    return ()


def no_comparisons(_running: Running, _examination: Examination) -> Iterable[Comparison]:
    """Ask nobody."""
    return ()


def _nothing_passing(_tx: Tx, _order: Order) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Extension:
    """A package's flows, services, and whatever else goes with them.

    - `bodies`: the typed body of a flow's orders, by the flow's name; else it is `OrderBody`.
    - `tables` are created by `conveyor migrate` (and `up`) where they are missing. To change them
      later, give `migrations`: a directory of your package, as in `"package:migrations"`, with
      Alembic revisions in files named `0001_what_it_does.py`; then they make the tables too.
    - `payers`: who pays the orders that `payments.charge` charges, by the flow's name, where a
      decline is not to be a refusal.
    - `loops` gives what a process with these services runs beside its consumers, each with a name:
      it ends when the event that it is given is set, and is started again when it ends before.
    - `belongings` are its tables with an `order_id`: the audit sees that there is such an order,
      and where they have a `merchant`, that it is the order's.
    - `checks` gives what holds its tables against what must be true of them, in the audit, and
      `page_checks` what goes through the orders page by page, made anew for each audit: see
      `conveyor.checks`.
    - `routes` gives operations of the HTTP API, `commands` click commands of `conveyor`, and `demo`
      what is shown of it in `conveyor demo`. They are called where they are needed, so that what
      they import costs nobody else.
    - `scopes` are those of its own that API keys may have, with what each opens; a route asks for
      one with `conveyor.entrypoints.http.key_with`.
    - `facts` gives what `explain` tells of an order beside what is known of every order.
    - `skus` gives those that a merchant sells, at most so many, from the first that begins so on:
      they are offered to whoever looks for orders.
    - `forget` takes what is personal of a customer out of its own tables, when they are to be
      forgotten, and gives what it has to keep for now. An order's body is seen to without it.
    - `ports` are those outside whom its steps call, and clients that they use, each opened once a
      process; `offers` gives by name whom the setting of a port may choose, as in
      `{PAYMENTS: {"bank": bank}}`: see docs/your-provider.md.
    - `archiving` says of its `belongings`, when orders go into the archive with all that belongs
      to them, what must stay and what is to be remembered.
    - `comparisons` gives what holds its tables against those outside, in the audit.
    - `glimpse` gives what a follower of one of its orders sees that passes, such as a position.
    - `lives` gives, for a flow by its name, what its orders go through when nothing goes wrong:
      each a `conveyor.testing.Life`, by a name of its own. The simulator lives them.
    """

    name: str
    flows: tuple[Flow, ...] = ()
    services: tuple[Service, ...] = ()
    bodies: Mapping[str, type[OrderBody]] = field(default_factory=dict)
    tables: sa.MetaData | None = None
    migrations: str = ""
    payers: Mapping[str, Payer] = field(default_factory=dict)
    loops: Callable[[Running, Collection[str]], Iterable[tuple[str, Loop]]] = no_loops
    glimpse: Callable[[Tx, Order], Mapping[str, Any]] = _nothing_passing
    belongings: tuple[sa.Table, ...] = ()
    checks: Callable[[], Iterable[Check]] = nothing
    page_checks: Callable[[Examination], Iterable[PageCheck]] = no_page_checks
    comparisons: Callable[[Running, Examination], Iterable[Comparison]] = no_comparisons
    routes: Callable[[], Iterable[Routes]] = nothing
    commands: Callable[[], Iterable[Any]] = nothing
    demo: Callable[[], Demo | None] = no_demo
    scopes: Mapping[str, str] = field(default_factory=dict)
    facts: Callable[[Tx, Order], Iterable[Fact]] = no_facts
    skus: Callable[[Tx, str, str, int], Iterable[str]] = no_skus
    forget: Callable[[Tx, OfCustomer], Iterable[Kept]] = no_traces
    archiving: Archiving = field(default_factory=Archiving)
    ports: tuple[Port[Any], ...] = ()
    offers: Mapping[Port[Any], Mapping[str, Opens[Any]]] = field(default_factory=dict)
    lives: Mapping[str, Callable[[], Mapping[str, Any]]] = field(default_factory=dict)
