"""What an extension is given, and what it gives: the parts of `Extension`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import sqlalchemy as sa
from pydantic import BaseModel

from conveyor.messaging.ambient import Ambient
from conveyor.messaging.answers import Answers
from conveyor.messaging.engine import Engine
from conveyor.messaging.step import AnyStep
from conveyor.services.orders.placement import Placement
from conveyor.services.payments.ports import (
    Payer,
    PaymentProvider,
)
from conveyor.services.shipping.ports import Carrier
from conveyor.settings import Settings


@dataclass(frozen=True, slots=True)
class Given:
    """What the steps of a process are made with.

    `payers` says, by the name of the flow, who pays the orders that `payments.charge` charges.
    """

    settings: Settings
    ambient: Ambient
    provider: PaymentProvider
    carrier: Carrier
    payers: Mapping[str, Payer]


@dataclass(frozen=True, slots=True)
class Running:
    """A system whose steps are made: what its loops work with."""

    settings: Settings
    engine: Engine
    answers: Answers
    placement: Placement


PaymentBinding = Callable[[Settings, Ambient], AbstractAsyncContextManager[PaymentProvider]]
"""Opens a payment provider for as long as a process lives, with the client that it needs."""
CarrierBinding = Callable[[Settings, Ambient], AbstractAsyncContextManager[Carrier]]
"""Opens a carrier likewise."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its queue has its name, and its steps are named `name.step`.

    `steps` is the table of its steps, or a function that gives it, called once a process. With
    `fifo`, the steps' `group` is handled strictly in the order in which it came. With `external`, a
    process of yours serves its queue, not Conveyor: all its steps are `ExternalStep`.
    """

    name: str
    steps: Mapping[str, AnyStep] | Callable[[Given], Mapping[str, AnyStep]]
    fifo: bool = False
    external: bool = False


@dataclass(frozen=True, slots=True)
class Routes:
    """Operations of the HTTP API that go together.

    `router` is a FastAPI `APIRouter`: see `conveyor.entrypoints.http` for what its functions may
    ask for. `tags` describes those that it uses; `models` are those that only bodies parsed by us
    refer to, for the OpenAPI document.
    """

    router: Any
    tags: Mapping[str, str] = field(default_factory=dict)
    models: tuple[type[BaseModel], ...] = ()


Story = tuple[sa.ColumnElement[bool], str]
"""By which condition an order of the flow is found that has something to tell, and what."""


class Demo:
    """What a flow shows of itself in `conveyor demo`; under its `settings` nobody waits long."""

    settings: ClassVar[Mapping[str, Any]] = {}
    stories: ClassVar[Sequence[Story]] = ()

    def orders(self) -> Iterable[dict[str, Any]]:
        """Give the orders, the same each time."""
        return ()

    async def set_up(self, app: Any, merchant: str) -> None:  # noqa: ANN401 - the whole system
        """Make what can be ordered; harmless where it is there."""

    async def conclude(self, app: Any, merchant: str) -> None:  # noqa: ANN401 - as above
        """Wait for what goes on after the last order."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a flow knows of an order: a sentence, and the same as JSON values."""

    name: str
    says: str
    data: Mapping[str, Any] = field(default_factory=dict)
