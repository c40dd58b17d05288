"""A flow whose step fails for causes that are put right at night: what a desk is for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import httpx
import pytest
from tests.api.serving import Server, order_of
from tests.servers.memory import directory_in_memory

from conveyor.extension import (
    Done,
    Extension,
    Flow,
    LocalStep,
    Now,
    Order,
    Outcome,
    Service,
    Step,
    Tx,
)

_numbers = count()
FIXED: set[str] = set()
"""The causes that have been put right, by the first word of an order's reference."""


class ScalesDownError(Exception):
    """Whoever weighs does not answer."""


def weigh(_tx: Tx, order: Order, _now: Now) -> Outcome:
    """Fail as the reference says, each time with another number in the words."""
    cause, _, number = order.reference.partition("-")
    if cause not in FIXED:
        if cause == "bug":
            raise KeyError(f"weight of line {number}")
        if cause == "down":
            raise ScalesDownError(f"scales {number} of {order.id} do not answer")
        if cause == "bad":
            raise ValueError(f"a weight of -{number} g")
    return Done()


def pack(_tx: Tx, order: Order, _now: Now) -> Outcome:
    """Fail where what was paid for cannot be packed, until that is put right."""
    cause = order.reference.partition("-")[0]
    if cause in {"after", "undo"} - FIXED:
        raise ScalesDownError("no box is left")
    return Done()


def unlabel(_tx: Tx, order: Order, _now: Now) -> Outcome:
    """Fail where it cannot be undone, until that is put right."""
    if order.reference.startswith("undo-") and "undo" not in FIXED:
        raise ScalesDownError("the label sticks")
    return Done()


NIGHT = Flow(
    "night",
    1,
    (
        Step("payments.authorize", undo="payments.void"),
        Step("weighing.weigh"),
        Step("payments.capture", undo="payments.refund"),
        Step("packing.label", undo="packing.unlabel"),
        Step("packing.pack"),
        Step("orders.complete"),
    ),
    cancel_until="packing.pack",
)


class InTurn(LocalStep):
    """Takes the orders of one merchant in their order."""

    def group(self, order: Order) -> str:
        """Give the group in which it has its turn."""
        return order.merchant


def line_up(_tx: Tx, order: Order, _now: Now) -> Outcome:
    """Fail for what is stuck, until that is put right."""
    if order.reference.startswith("stuck-") and "stuck" not in FIXED:
        raise ScalesDownError("the line stands still")
    return Done()


LINE = Flow("line", 1, (Step("lining.up"), Step("orders.complete")), cancel_until="lining.up")
EXTENSION = Extension(
    "night",
    flows=(NIGHT, LINE),
    services=(
        Service("lining", {"lining.up": InTurn(line_up)}, fifo=True),
        Service("weighing", {"weighing.weigh": LocalStep(weigh)}),
        Service(
            "packing",
            {
                "packing.label": LocalStep(lambda _tx, _order, _now: Done()),
                "packing.unlabel": LocalStep(unlabel),
                "packing.pack": LocalStep(pack),
            },
        ),
    ),
)
SETTINGS: dict[str, Any] = {"extensions": f"{__name__}:EXTENSION", "max_receives": 1}


@contextmanager
def put_right(*causes: str) -> Iterator[None]:
    """Let these causes be gone for a while."""
    FIXED.update(causes)
    try:
        yield
    finally:
        FIXED.difference_update(causes)


def parcel(cause: str, number: int, **changes: Any) -> dict[str, Any]:
    """Give an order that fails for this cause."""
    reference = f"{cause}-{number}"
    return order_of(**{"flow": "night", "reference": reference, "shipping": None, **changes})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A system with a flow that fails as it is told."""
    with directory_in_memory() as home, Server(home, **SETTINGS) as running:
        yield running


@pytest.fixture
def owner(server: Server) -> httpx.Client:
    """A client of a merchant of the test's own, whose orders nobody else sees."""
    return server.client_of(f"night-{next(_numbers)}")
