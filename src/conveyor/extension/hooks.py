"""What an extension is given, and what it gives: the parts of `Extension`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import sqlalchemy as sa
from pydantic import BaseModel

from conveyor.commerce.orders.placement import Placement
from conveyor.commerce.payments.ports import Payer
from conveyor.core.ambient import Ambient
from conveyor.core.answers import Answers
from conveyor.core.archived import Sum
from conveyor.core.engine import Engine
from conveyor.core.step import StepHandler
from conveyor.core.transaction import Tx
from conveyor.extension.ports import OpenedPorts, Port, Ports
from conveyor.settings import Settings


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the steps of a process are made with.

    `ports` gives those outside, who are open by the time at which a step runs. `payers` says, by
    the name of the flow, who pays the orders that `payments.charge` charges.
    """

    settings: Settings
    ambient: Ambient
    ports: Ports
    payers: Mapping[str, Payer]


@dataclass(frozen=True, slots=True)
class Running:
    """A system whose steps are made: what its loops work with."""

    settings: Settings
    engine: Engine
    answers: Answers
    placement: Placement
    ports: OpenedPorts


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its queue has its name, and its steps are named `name.step`.

    `steps` is the table of its steps, or a function that gives it, called once a process. With
    `fifo`, the steps' `group` is handled strictly in the order in which it came. With `external`, a
    process of yours serves its queue, not Conveyor: all its steps are `ExternalStep`. With
    `needs_address`, orders whose flow has one of its steps are taken with a shipping address only.
    `calls` is whom its steps call: what that one says of its calls holds for them, and where it
    answers nobody, they wait for it. Without it all that the service calls is taken for one.
    """

    name: str
    steps: Mapping[str, StepHandler] | Callable[[Dependencies], Mapping[str, StepHandler]]
    fifo: bool = False
    external: bool = False
    needs_address: bool = False
    calls: Port[Any] | None = None


@dataclass(frozen=True, slots=True)
class Routes:
    """Operations of the HTTP API that go together.

    `router` is a FastAPI `APIRouter`: see `conveyor.entrypoints.http` for what its functions may
    ask for. `tags` describes those that it uses; `models` are those that only bodies parsed by us
    refer to, for the OpenAPI document; `codes`, a subclass of the API's `ProblemCode`, are those of
    problems of its own.
    """

    router: Any
    tags: Mapping[str, str] = field(default_factory=dict)
    models: tuple[type[BaseModel], ...] = ()
    codes: Iterable[Any] = ()


Story = tuple[sa.ColumnElement[bool], str]
"""By which condition an order of the flow is found that has something to tell, and what."""


class Demo:
    """What a flow shows of itself in `conveyor demo`; under its `settings` nobody waits long.

    `shows` is a sentence or two of it, for the command's help.
    """

    shows: ClassVar[str] = ""
    settings: ClassVar[Mapping[str, Any]] = {}
    stories: ClassVar[Sequence[Story]] = ()

    def orders(self) -> Iterable[dict[str, Any]]:
        """Give the orders, the same each time."""
        return ()

    def trickle(self) -> Iterable[dict[str, Any]]:
        """Give orders for ever, which `conveyor demo --keep` places now and then; or none."""
        return ()

    async def set_up(self, app: Any, merchant: str) -> None:  # noqa: ANN401 - the whole system
        """Make what can be ordered; harmless where it is there."""

    async def conclude(self, app: Any, merchant: str) -> None:  # noqa: ANN401 - as above
        """Wait for what goes on after the last order."""


@dataclass(frozen=True, slots=True)
class OfCustomer:
    """A customer of a merchant who is to be forgotten.

    `orders` are those of them, at their end, that are being erased in this transaction; there may
    be more in others, and `is_last` says that this one is the last.
    """

    merchant: str
    customer: str
    orders: tuple[str, ...] = ()
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """What was not erased, and why not, as in `order 01K...` and `is still under way`."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a flow knows of an order: a sentence, and the same as JSON values."""

    name: str
    says: str
    data: Mapping[str, Any] = field(default_factory=dict)


Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows of an order as JSON values, by the name of their table."""


def holds_none(_tx: Tx, _order_ids: Sequence[str]) -> Mapping[str, str]:
    """Let every order go."""
    return {}


def sums_nothing(_tx: Tx, _order_ids: Sequence[str]) -> Iterable[Sum]:
    """Need to remember nothing."""
    return ()


def as_they_are(rows: Rows) -> Rows:
    """Find nothing personal in them."""
    return rows


@dataclass(frozen=True, slots=True)
class Archiving:
    """What an extension says of orders that go into the archive with their rows of `belongings`.

    - `holds`: those of these orders, all at their end, that must stay for now, each with why, as in
      `holds stock`.
    - `sums`: what its checks count of these orders' rows, to be remembered when they are gone; a
      check adds what `archived_sums` has. Asked in the transaction that deletes them.
    - `forget` takes out of an order's rows what is personal, when a customer of an archived order
      is to be forgotten.
    """

    holds: Callable[[Tx, Sequence[str]], Mapping[str, str]] = holds_none
    sums: Callable[[Tx, Sequence[str]], Iterable[Sum]] = sums_nothing
    forget: Callable[[Rows], Rows] = as_they_are
